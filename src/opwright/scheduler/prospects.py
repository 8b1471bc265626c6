"""Which queues are worth a claim: what this host knows of them since its last look."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator


class Prospects:
    """Queues by name, and whether each may have something ready. ``only``: the queues that this host serves, else all."""

    def __init__(self, only: Collection[str] | None) -> None:
        self._only = only
        self._more: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return any(self._more.values())

    def served(self, queues: Iterable[str]) -> list[str]:
        """Those among these that this host serves, one for each time it is named."""
        return [queue for queue in queues if self._only is None or queue in self._only]

    def news(self) -> None:
        """Something was committed somewhere: every queue that has ever had something is worth a claim."""
        self._more = dict.fromkeys(self._more, True)

    def mark(self, queues: Iterable[str], *, more: bool) -> None:
        """Something is ready in these, or nothing that could be claimed."""
        self._more |= dict.fromkeys(queues, more)

    def dry(self, queue: str) -> bool:
        """Whether it is known, and the last claim has taken all that there was."""
        return self._more.get(queue) is False

    def in_turn(self) -> Iterator[str]:
        """Those that are worth a claim. Each goes to the end when it comes: the next round begins with another one."""
        for queue in [queue for queue, more in self._more.items() if more]:
            self._more[queue] = self._more.pop(queue)
            yield queue

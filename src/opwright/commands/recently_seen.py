"""Which ids came by lately: bounded by number and by age."""

from __future__ import annotations

from collections.abc import Callable

MOST = 16_384
LONGEST = 15 * 60.0  # seconds


class RecentlySeen:
    """Remembers ids in the order in which they came."""

    def __init__(self, monotonic: Callable[[], float], most: int = MOST, longest: float = LONGEST) -> None:
        self._monotonic = monotonic
        self._most = most
        self._longest = longest
        self._since: dict[int, float] = {}

    def add(self, identifier: int) -> bool:
        """Remember it; False when it came by lately. One too old is forgotten before it is looked for."""
        now = self._monotonic()
        self._forget(now - self._longest)
        if identifier in self._since:
            return False
        self._since[identifier] = now
        if len(self._since) > self._most:
            del self._since[next(iter(self._since))]
        return True

    def forget(self, identifier: int) -> None:
        """Take it for new when it comes by again."""
        self._since.pop(identifier, None)

    def _forget(self, before: float) -> None:
        while self._since and (oldest := next(iter(self._since.items())))[1] <= before:
            del self._since[oldest[0]]

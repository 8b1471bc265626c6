"""What one worker holds, by order: what it was given and has not answered.

A worker of S slots begins strictly in the order in which it was given, so the first S unanswered tasks are those that
have begun, and no message needs to say so. Only when it has died are its marks asked, which are exact.
"""

from __future__ import annotations

from itertools import islice

from opwright.model.worker import Outcome, StatusUpdate, Task
from opwright.workers.pool import returned


class Held:
    """A task in a worker. ``begun``: microseconds by the host's clock, ``None`` while it waits."""

    __slots__ = ("begun", "quick", "task")

    def __init__(self, task: Task, *, quick: bool) -> None:
        self.task = task
        self.quick = quick
        self.begun: int | None = None


class Ledger:
    """The unanswered tasks of a worker with so many slots."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.finished = 0
        self._held: dict[int, Held] = {}
        self._slow = 0

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, operation: int) -> bool:
        return operation in self._held

    def operations(self) -> tuple[int, ...]:
        """What has begun."""
        return tuple(held.task.operation for held in self.begun())

    def held(self, operation: int, token: int) -> Held | None:
        """The task of this operation under this token."""
        held = self._held.get(operation)
        return held if held is not None and held.task.token == token else None

    def begun(self) -> list[Held]:
        """The tasks that have begun."""
        return [held for held in islice(self._held.values(), self.slots) if held.begun is not None]

    def room(self, ahead: int) -> bool:
        """Whether one more may be given, ``ahead`` of what may wait here. Nothing waits behind a slow neighbour."""
        waiting = len(self._held) - self.slots
        return waiting < 0 or (waiting < ahead and not self._slow)

    def give(self, task: Task, *, quick: bool, now: int) -> None:
        """The worker was given this task."""
        held = self._held[task.operation] = Held(task, quick=quick)
        if not quick:
            self._slow += 1
        if len(self._held) <= self.slots:
            held.begun = now

    def doubt(self, since: int, now: int) -> bool:
        """Take for slow what was thought quick and has run since before then; whether there was any.

        What begins in the future runs since nobody knows when, because the clock was set back.
        """
        late = [held for held in self.begun() if held.quick and held.begun is not None and not since <= held.begun <= now]
        for held in late:
            held.quick = False
            self._slow += 1
        return bool(late)

    def answer(self, updates: list[StatusUpdate], now: int) -> list[StatusUpdate]:
        """The worker answered. Returns the updates that belong to what it holds; the next in order have begun."""
        known = [update for update in updates if self._strike(update)]
        for held in islice(self._held.values(), self.slots):
            held.begun = held.begun or now
        return known

    def close(self, error: str, now: int, marked: frozenset[int]) -> list[StatusUpdate]:
        """The worker is dead: what it had marked as running died with it, the rest comes back."""
        updates = [
            returned(held.task)
            if held.task.operation not in marked
            else StatusUpdate(held.task.operation, held.task.token, Outcome.DIED, error=error, begun=held.begun, ended=now)
            for held in self._held.values()
        ]
        self._held.clear()
        return updates

    def _strike(self, update: StatusUpdate) -> bool:
        held = self.held(update.operation, update.token)
        if held is None:
            return False
        del self._held[update.operation]
        if not held.quick:
            self._slow -= 1
        if update.outcome is not Outcome.RETURNED:
            self.finished += 1
        return True

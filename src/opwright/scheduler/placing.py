"""Placing: what was not ready becomes so, when it is due, when its lane has a slot, when what it follows has ended."""

from __future__ import annotations

from collections.abc import Collection

from opwright.clock import Clock
from opwright.store.queue import Peek, Queue

AGAIN = 0.025  # seconds after a promotion that found nothing: twice as long after each, until the next look


class Placing:
    """Remembers, between two looks at the queue, what there is to place, and when. Moments are those of the monotonic clock."""

    def __init__(self, queue: Queue, clock: Clock) -> None:
        self._queue = queue
        self._clock = clock
        self._due: float | None = None  # when something delayed is
        self._due_since: float | None = None  # of what was written since the last look was begun
        self._vain = 0  # promotions in a row that found nothing
        self._free: float | None = None  # when a slot falls free
        self._fresh = False  # something asks for a slot
        self.followers = False  # something follows others
        self._look = False  # for those who follow what has not been looked at
        self._ended: list[int] = []
        self._postponed: dict[int, float] = {}  # by operation: when it is due again, once its verdict is written

    @property
    def next(self) -> float | None:
        """When there is something to place; ``None`` while nothing is known of."""
        if self._fresh or self._look or self._ended:
            return self._clock.monotonic()
        return _earliest(self._due, self._free)

    async def look(self) -> tuple[Peek, bool]:
        """What the queue holds; and whether there is something to place at once, by the database's clock.

        What is written while the question is on its way may be younger than the answer, and is not forgotten for it.
        """
        self._due_since = None
        peek = await self._queue.peek()
        self._due, self._free = _earliest(self._local(peek.due, peek.now), self._due_since), self._local(peek.free, peek.now)
        self._vain = 0
        self._fresh, self.followers, self._look = peek.fresh, peek.followers, peek.followers
        moments = peek.due, peek.free
        return peek, peek.fresh or peek.followers or any(moment is not None and moment <= peek.now for moment in moments)

    def postponed(self, operation: int, delay: float) -> None:
        """It will be due again so many seconds from now."""
        self._postponed[operation] = self._clock.monotonic() + delay

    def landed(self, operations: Collection[int]) -> bool:
        """Verdicts that are written now; whether that is a reason to wake up."""
        back = self._postponed.keys() & operations
        for operation in back:
            due = self._postponed.pop(operation)
            self._due, self._due_since = _earliest(self._due, due), _earliest(self._due_since, due)
        if self.followers:
            self._ended.extend(operations)
        return bool(back) or self.followers

    def freed(self) -> None:
        """A slot may have fallen free."""
        self._free = self._clock.monotonic()

    def forget(self) -> None:
        """Verdicts that were to be written will not be."""
        self._postponed.clear()

    async def run(self, now: float) -> list[str]:
        """Place what there is to place; the queues of what became ready, one entry per operation."""
        queues: list[str] = []
        if self._look or self._ended:
            ended = tuple(self._ended)
            queues += await self._queue.follow(ended)
            del self._ended[: len(ended)]  # only now: what fails is done again
            self._look = False
        if self._due is not None and self._due <= now:
            queues += await self._promote()
        if self._fresh or (self._free is not None and self._free <= now):
            self._fresh, self._free = True, None  # so that what fails is done again
            queues += await self._queue.admit()
            self._fresh = False
        return queues

    async def _promote(self) -> list[str]:
        self._due = None
        queues = await self._queue.promote()
        self._vain = 0 if queues else self._vain + 1
        if not queues:  # not due by the database's clock yet, locked by somebody, or over its limit
            self._due = self._clock.monotonic() + AGAIN * 2**self._vain
        return queues

    def _local(self, moment: int | None, now: int) -> float | None:
        return None if moment is None else self._clock.monotonic() + (moment - now) / 1e6


def _earliest(*moments: float | None) -> float | None:
    return min((moment for moment in moments if moment is not None), default=None)

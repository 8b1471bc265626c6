"""Claims whose answer was lost: what stands in this host's name and is not held here goes back, uncharged."""

from __future__ import annotations

import math
from collections.abc import Callable

from opwright.clock import Clock
from opwright.store.queue import Queue
from opwright.telemetry import emit

DOUBT = 60.0  # seconds in which a claim may still be committed whose answer was lost; the server ends a statement after 30
Pair = tuple[int, int]


class Doubts:
    """Whether there may be such claims.

    ``period``: seconds between two looks; ``unknown``: those among some claims, (operation, token), that this host does not know.
    """

    def __init__(self, queue: Queue, clock: Clock, period: float, unknown: Callable[[list[Pair]], list[Pair]]) -> None:
        self._queue = queue
        self._clock = clock
        self._period = period
        self._unknown = unknown
        self._next = math.inf
        self._end = 0.0

    def __bool__(self) -> bool:
        return self._next < math.inf

    def arise(self) -> None:
        """An answer was lost."""
        self._next = self._clock.monotonic()
        self._end = self._next + DOUBT

    def due(self, now: float) -> bool:
        """Whether to look now."""
        return now >= self._next

    def forget(self) -> None:
        """Every claim was dropped, known or not."""
        self._next = math.inf

    async def settle(self, host: int) -> None:
        """Give back what is not known. More than once: what the server did when the connection broke, it may still commit."""
        lost = self._unknown(await self._queue.claims_of(host))
        if lost:
            await self._queue.give_back(host, lost)
            emit("claim.reconciled", operations=[operation for operation, _ in lost])
        now = self._clock.monotonic()
        self._next = now + self._period if now < self._end else math.inf

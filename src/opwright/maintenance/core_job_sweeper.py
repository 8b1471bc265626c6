"""``CoreJobSweeper``: ended operations are deleted when they have been over for long enough."""

from __future__ import annotations

from typing import NamedTuple

from opwright.clock import Clock
from opwright.maintenance.sweep import Deleted, OperationSweep
from opwright.model.ids import id_at
from opwright.model.status import OutcomeCode
from opwright.store.sweeps import SPARED, START, Aged, Place, Sweeps

NAME = "CoreJobSweeper"  # seed 004
LOOK = 10_000  # rows of one look


class Retention(NamedTuple):
    """How many seconds a record is kept after the end of its operation, and no less than SPARED; None: for ever.

    Requirements GEN-18 to GEN-22.
    """

    succeeded: float | None
    cancelled: float | None
    failed: float | None


class CoreJobSweeper(OperationSweep):
    """Costs what is old, never what is there.

    FAILED and CANCELLED have an index by their ends. SUCCEEDED has none, because it would cost each operation, so they are looked
    for along the primary key: first what has become old enough since the last turn, then, a window at each turn, what was still
    going on then, or was still needed.
    """

    def __init__(self, store: Sweeps, clock: Clock, retention: Retention, interval: float, name: str = NAME) -> None:
        super().__init__(name, interval, store, clock)
        self._retention = retention

    async def run_once(self) -> Deleted:
        """Delete what has been over for long enough. Raises StoreError."""
        place = await self._store.place(self.name)
        deleted = Deleted()
        for code, seconds in ((OutcomeCode.FAILED, self._retention.failed), (OutcomeCode.CANCELLED, self._retention.cancelled)):
            if seconds is not None:
                deleted += await self._unhappy(code, place.before(max(seconds, SPARED)))
        if self._retention.succeeded is not None:
            deleted += await self._succeeded(place, place.before(max(self._retention.succeeded, SPARED)))
        return deleted

    async def _unhappy(self, code: OutcomeCode, cutoff: int) -> Deleted:
        deleted, position = Deleted(), START
        while rows := await self._store.unhappy(code, cutoff, position, LOOK):
            position = rows[-1]
            deleted += await self._delete([row.operation for row in rows])
        return deleted

    async def _window(self, after: int, before: int, cutoff: int) -> Aged:
        return await self._store.successes(after, before, cutoff, LOOK)

    async def _succeeded(self, place: Place, cutoff: int) -> Deleted:
        deleted, front, behind = Deleted(), place.front, place.behind
        while (aged := await self._window(front, id_at(cutoff), cutoff)).last is not None:
            front = aged.last
            deleted += await self._delete(aged.due)
        while (aged := await self._window(behind, place.front + 1, cutoff)).last is not None:
            behind = aged.last
            gone = await self._delete(aged.due)
            deleted += gone
            if not gone:
                break
        else:
            behind = 0
        if (front, behind) != (place.front, place.behind):
            await self._store.keep_place(self.name, front, behind)
        return deleted

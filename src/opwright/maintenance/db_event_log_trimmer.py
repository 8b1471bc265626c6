"""``DbEventLogTrimmer``: events that were Processed are deleted sooner than other operations that succeeded."""

from __future__ import annotations

from opwright.clock import Clock
from opwright.commands.events import QUEUE
from opwright.maintenance.core_job_sweeper import LOOK, CoreJobSweeper, Retention
from opwright.store.sweeps import Aged, Sweeps

NAME = "DbEventLogTrimmer"  # seed 002
AGE, INTERVAL = 3600.0, 900.0  # seconds; those of the seed


class DbEventLogTrimmer(CoreJobSweeper):
    """The retention rule of events.

    Processed ones go ``age`` seconds after their end. Discarded ones are kept like others that FAILED or were CANCELLED, until
    CoreJobSweeper takes them. New ones have not ended, and no sweep deletes what has not.
    """

    def __init__(self, store: Sweeps, clock: Clock, age: float = AGE, interval: float = INTERVAL) -> None:
        super().__init__(store, clock, Retention(succeeded=age, cancelled=None, failed=None), interval, NAME)

    async def _window(self, after: int, before: int, cutoff: int) -> Aged:
        return await self._store.successes_of(QUEUE, after, before, cutoff, LOOK)

"""``failureOperationHeartbeat``: the clean-up of failed operations as the DAM framework has it, by age and by number."""

from __future__ import annotations

import logging

from opwright.clock import Clock
from opwright.maintenance.sweep import Deleted, OperationSweep
from opwright.store.sweeps import START, Sweeps

NAME = "failureOperationHeartbeat"  # requirement DAM-90
AGE, RECORDS, INTERVAL = 24 * 3600.0, 20_000, 3600.0  # DAM-97 to DAM-99; seconds
LOOK = 1000  # rows of one look


class FailureOperationHeartbeat(OperationSweep):
    """Only FAILED operations. Those submitted more than ``age`` seconds ago; and when there are ``records``, the oldest as well.

    The age is that since the submit (DAM-92). The number is met when it is reached, and then so many go that it is not (DAM-34).
    """

    def __init__(
        self, store: Sweeps, clock: Clock, *, age: float = AGE, records: int = RECORDS, interval: float = INTERVAL
    ) -> None:
        super().__init__(NAME, interval, store, clock, logging.INFO)  # DAM-95: details of each
        self._age = age
        self._records = records

    async def run_once(self) -> Deleted:
        """Delete what is due by either threshold. Raises StoreError."""
        cutoff = (await self._store.place(self.name)).before(self._age)
        surplus = await self._surplus()
        deleted, position = Deleted(), START
        while rows := await self._store.failed(surplus, cutoff, position, LOOK):
            position = rows[-1].position
            deleted += await self._delete([row.position.operation for row in rows if row.due])
        return deleted

    async def _surplus(self) -> int:
        """The newest of those that are too many; 0 when none is."""
        too_many = await self._store.count_failed() - self._records + 1
        return await self._store.last_surplus(too_many) if too_many > 0 else 0

"""``DbOperationLogTrimmer``: entries of the log of commands are deleted when every reader has had them for long."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from opwright.clock import Clock
from opwright.maintenance.sweep import BATCH, Sweep
from opwright.store.log import SPARED, Log
from opwright.store.sweeps import Sweeps

NAME = "DbOperationLogTrimmer"  # seed 003
SPREAD = 0.25  # of the interval, either way: so that hosts do not march in step
ENTRIES = "entries"


class DbOperationLogTrimmer(Sweep):
    """An entry goes when it bears a time more than ``keep`` seconds ago, and was committed more than ``SPARED`` seconds ago.

    Its time says nothing of its commit: it is that of another clock, before a commit that may take long. So each turn notes a
    horizon, that everything committed so far lies before, and a later one deletes nothing behind it.
    """

    def __init__(self, log: Log, turns: Sweeps, clock: Clock, keep: float, interval: float) -> None:
        super().__init__(NAME, _around(interval))
        self._mean = interval
        self._log = log
        self._turns = turns
        self._clock = clock
        self._keep = keep

    async def run_once(self) -> Counter[str]:
        """Delete what is due, in batches. Raises StoreError."""
        self.interval = _around(self._mean)
        place = await self._turns.place(NAME)
        if place.before(SPARED) < place.behind <= place.now:
            return Counter()  # readers may still be on their way to that horizon
        back = place.behind > place.now  # the clock was set back: who knows how old the horizon is
        trimmed, horizon = await self._trim(0 if back else place.before(self._keep), str(place.front))
        await self._turns.keep_place(NAME, int(horizon), place.now)
        return Counter({ENTRIES: trimmed}) if trimmed else Counter()

    def told(self, deleted: Counter[str]) -> str:
        """How many."""
        return f"{deleted[ENTRIES]} entries of the log"

    async def _trim(self, before: int, behind: str) -> tuple[int, str]:
        """How many went, and the horizon as it was before the first of them."""
        trimmed, horizon = 0, ""
        while True:
            began = self._clock.monotonic()
            count, noted = await self._log.trim(before, behind, BATCH)
            trimmed, horizon = trimmed + count, horizon or noted
            if count < BATCH:
                return trimmed, horizon
            await asyncio.sleep(self._clock.monotonic() - began)  # half of the time belongs to everybody else


def _around(seconds: float) -> float:
    return seconds * random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311 - jitter, not a secret

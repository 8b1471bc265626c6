"""``CoreJobManager``: the one service that drives every sweep, each at its own interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from opwright.clock import Clock
from opwright.maintenance.sweep import Sweep
from opwright.service import TROUBLE, Service, backoff_pause, report
from opwright.store.sweeps import Sweeps
from opwright.telemetry import emit, logger

NAME = "CoreJobManager"  # seed 004
SHORTEST = 0.1  # seconds: when another host is just taking its turn


class CoreJobManager(Service):
    """Each turn belongs to one of all hosts, and leaves one log line there. A sweep that fails delays no other."""

    def __init__(self, sweeps: Sequence[Sweep], store: Sweeps, clock: Clock) -> None:
        super().__init__(NAME)
        self._sweeps = tuple(sweeps)
        self._store = store
        self._clock = clock
        self._next = {sweep.name: clock.monotonic() for sweep in sweeps}
        self._errors = dict.fromkeys(self._next, 0)
        self._owed: set[str] = set()  # whose turn was ours and is not over: it failed

    async def run_once(self) -> float:
        """Run the sweeps whose turn it is."""
        for sweep in self._sweeps:
            if self._clock.monotonic() >= self._next[sweep.name]:
                pause = await self._turn(sweep)
                self._next[sweep.name] = self._clock.monotonic() + pause
        return max(min(self._next.values()) - self._clock.monotonic(), 0.0)

    async def _turn(self, sweep: Sweep) -> float:
        """One look at a sweep, and its run if it is due; the seconds until the next look."""
        try:
            pause = await self._run_if_due(sweep)
        except Exception as error:  # noqa: BLE001 - whatever a sweep raises, the others have their turns
            self._errors[sweep.name] += 1
            pause = backoff_pause(self._errors[sweep.name])
            if isinstance(error, TROUBLE) and self._errors[sweep.name] == 1 and not self.outage.on:
                logger.warning("%s: %s; trying again", sweep.name, error)
            report(sweep.name, error, self._errors[sweep.name], pause)
        else:
            self._errors[sweep.name] = 0
        return pause

    async def _run_if_due(self, sweep: Sweep) -> float:
        if sweep.name not in self._owed:
            if not await self._store.claim(sweep.name, sweep.interval):
                return max(await self._store.due_in(sweep.name, sweep.interval), SHORTEST)
            self._owed.add(sweep.name)
        began = self._clock.monotonic()
        deleted = await sweep.run_once()
        self._owed.discard(sweep.name)
        _tell(sweep, deleted, self._clock.monotonic() - began)
        return sweep.interval


def _tell(sweep: Sweep, deleted: Counter[Any], seconds: float) -> None:
    counts = {getattr(kind, "status", kind): count for kind, count in deleted.items()}
    emit("sweep.done", sweep=sweep.name, deleted=counts, seconds=seconds)
    if deleted:
        logger.info("%s: deleted %s in %.1f s", sweep.name, sweep.told(deleted), seconds)
    else:
        logger.debug("%s: nothing to delete", sweep.name)

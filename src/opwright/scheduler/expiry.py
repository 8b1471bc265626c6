"""Housekeeping of what runs: ends operations and workers whose time is up, and workers that have grown too large.

A service of its own beside the rest of housekeeping, because it needs no database and must not wait for one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from opwright.clock import Clock
from opwright.model.worker import Worker
from opwright.scheduler.ages import Ages
from opwright.scheduler.scheduler import Scheduler
from opwright.service import Service
from opwright.telemetry import emit
from opwright.workers.memory import resident_of
from opwright.workers.pool import Pool

PERIOD = 5.0  # seconds between two looks,
WEIGHING = 0.5  # or so many where memory is limited: it grows fast,
SHARE = 0.25  # or this share of the shortest limit,
SHORTEST = 0.05  # but never so often that looking is all it does


@dataclass(frozen=True, slots=True)
class Limits:
    """``processing``, ``worker``: seconds without a sign of life. ``memory``: bytes of a worker while it runs something.

    ``worker`` and ``memory`` None: no such limit.
    """

    processing: float = 3600.0
    worker: float | None = 3900.0
    memory: int | None = None

    @property
    def period(self) -> float:
        """Seconds between two looks that these limits need."""
        longest = PERIOD if self.memory is None else WEIGHING
        return max(min(longest, SHARE * min(self.processing, self.worker or self.processing)), SHORTEST)


class Expiry(Service):
    """Looks at the pool now and then. Only what is PROCESSING here, and only active workers, can be past their time."""

    def __init__(self, scheduler: Scheduler, pool: Callable[[], Pool], clock: Clock, limits: Limits) -> None:
        super().__init__("expiry")
        self._scheduler = scheduler
        self._pool = pool
        self._limits = limits
        self._operations = Ages[tuple[int, int]](clock, 2 * limits.period)
        self._workers = Ages[str](clock, 2 * limits.period)

    async def run_once(self) -> float:
        """Look once."""
        self.end_operations()
        self.end_workers()
        self.end_large_workers()
        return self._limits.period

    def end_operations(self) -> None:
        """Ask operations to end that have given no sign of life for too long; their worker is killed if they do not."""
        holdings = self._scheduler.holdings
        running = self._pool().running().values()
        signs = {(one.operation, one.token): (one.begun, holdings.touched.get(one.operation)) for one in running}
        for (operation, token), age in self._operations.look(signs).items():
            claim = holdings.held(operation, token)
            if claim is not None and age > max(self._limits.processing, claim.options.timeout or 0.0):
                self._scheduler.expire(claim)

    def end_workers(self) -> None:
        """Kill active workers that have been with one operation for too long: what should have ended it did not."""
        if self._limits.worker is None:
            return
        active = {worker.name: worker for worker in self._pool().active()}
        for name, age in self._workers.look({name: worker.last_touched for name, worker in active.items()}).items():
            if age > max(self._limits.worker, *map(self._timeout, active[name].operations), 0.0):
                self._end(active[name], f"no sign of life for {age:.0f} s; worker_maximum allows {self._limits.worker:g} s")

    def end_large_workers(self) -> None:
        """Kill workers that hold more memory than they may while they run something."""
        if self._limits.memory is None:
            return
        for worker in self._pool().active():
            size = resident_of(worker.pid) if worker.pid is not None else 0
            if size > self._limits.memory:
                allowed = self._limits.memory // 2**20
                self._end(worker, f"it held {size / 2**20:,.0f} MiB of memory; worker_megabytes allows {allowed:,} MiB")

    def _end(self, worker: Worker, why: str) -> None:
        emit("worker.ended", worker=worker.name, pid=worker.pid, operations=worker.operations, reason=why)
        self._pool().kill(worker.name, why)

    def _timeout(self, operation: int) -> float:
        """What an operation has said itself that it may take, and what it takes to end it then."""
        claim = self._scheduler.holdings.claims.get(operation)
        timeout = claim.options.timeout if claim is not None else None
        return 0.0 if timeout is None else timeout + self._limits.period + self._scheduler.kill_after

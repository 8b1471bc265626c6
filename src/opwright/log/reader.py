"""``DbOperationLogReader``: what other processes have committed is invalidated in this one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import NamedTuple, Protocol

from opwright.clock import SECOND, Clock
from opwright.log.undelivered import Undelivered
from opwright.model.log_entry import LogEntry
from opwright.service import Service
from opwright.store.log import SPARED, Log, LogEnd
from opwright.telemetry import emit, logger

NAME = "DbOperationLogReader"  # seed 003
PERIOD, SPREAD = 4.5, 0.1  # seconds between two looks, give or take a tenth: never above the seed's five
TRUST = SPARED - 60.0  # seconds after a reading for which the log certainly holds all that came behind it
WINDOW = 500  # entries
GRACE, HASTE = 1.0, 0.1  # seconds that an entry waits behind one that is being completed; the second where one hangs already
PATIENCE = 5.0  # seconds that one try of a completion may take


class Following(Protocol):
    """What the log is read for: all that this process has cached."""

    async def log(self) -> Log:
        """The log. Raises StoreError."""

    def wanted(self) -> bool:
        """Whether anything here depends on the log."""

    def begins(self) -> None:
        """From now on nothing is missed. Whatever was cached before must be invalidated."""

    def rests(self) -> None:
        """From now on nothing is read."""

    def lost(self) -> None:
        """Something may have been missed: whatever is cached must be invalidated."""

    def is_known(self, entry: LogEntry) -> bool:
        """Whether this very process has carried it out and completed it."""

    async def deliver(self, entry: LogEntry) -> bool:
        """An entry of another process; whether it was new. What it raises leads to another try."""


class LogStatus(NamedTuple):
    """How far the reading of the log has come in this process.

    ``following``: whether there is anything to read it for. ``age``: seconds since the last reading; ``lag``: how many passed
    between the time of the last one delivered and its delivery here. Counts since the start: entries ``read``; of those
    ``replayed``, because other processes had written them; ``retrying`` or hanging now; ``abandoned``; and how often
    coverage was ``lost``.
    """

    following: bool = False
    age: float | None = None
    lag: float | None = None
    read: int = 0
    replayed: int = 0
    retrying: int = 0
    abandoned: int = 0
    lost: int = 0


class DbOperationLogReader(Service):
    """Reads the log from one end to the next: at each wake-up, and every few seconds in case none comes.

    Entries of this very process are skipped. Nothing is read as long as nothing is cached.
    """

    def __init__(self, following: Following, clock: Callable[[], Clock]) -> None:
        super().__init__(NAME)
        self._following = following
        self._clock = clock
        self._end: LogEnd | None = None
        self._read_at = 0.0
        self._undelivered = Undelivered(lambda: clock().monotonic())
        self._waiters: list[asyncio.Future[None]] = []
        self._status = LogStatus()

    @property
    def failing(self) -> bool:
        """Whether its last step failed."""
        return self._failures > 0

    def status(self) -> LogStatus:
        """How far it has come."""
        age = None if self._end is None else self._clock().monotonic() - self._read_at
        retrying, abandoned = len(self._undelivered), self._undelivered.abandoned
        return self._status._replace(following=self._end is not None, age=age, retrying=retrying, abandoned=abandoned)

    async def caught_up(self, operation: int) -> None:
        """Wait until all that was committed before this call is read, and this operation delivered or given up."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(future)
        self.wake()
        await future
        await self._undelivered.end(operation)

    async def stop(self) -> None:
        """End, with whatever is being completed."""
        await super().stop()
        await self._undelivered.interrupted()

    async def run_once(self) -> float:
        """Read what is new, then try again what failed and is due."""
        waiting = len(self._waiters)  # who comes later waits for the next reading
        if self._following.wanted():
            await self._follow()
        else:
            self._rest()
        answered, self._waiters = self._waiters[:waiting], self._waiters[waiting:]
        for future in answered:
            if not future.done():
                future.set_result(None)
        return self._undelivered.pause(PERIOD * random.uniform(1 - SPREAD, 1 + SPREAD))  # noqa: S311 - jitter, not a secret

    # ------------------------------------------------------------------------------------------------ reading

    async def _follow(self) -> None:
        began = self._clock().monotonic()
        log = await self._following.log()
        until = await log.end()
        if self._end is None:
            self._following.begins()
            emit("log.followed")
        elif (reason := self._gap(self._end, until, began)) is not None:
            self._lose(reason)
        elif self._end.seen != until.seen:
            await self._read(log, self._end, until)
        self._end, self._read_at = until, began
        for entry in self._undelivered.due():
            await self._deliver(entry)

    def _rest(self) -> None:
        self.outage.leaves(self)  # who asks nothing does not know whether the database is back
        if self._end is not None:
            self._end = None
            self._undelivered.clear()
            self._following.rests()

    def _gap(self, last: LogEnd, until: LogEnd, now: float) -> str | None:
        """Why the log may not hold everything between two ends; None when it does."""
        if not last.leads_to(until):
            return "the database is another one, or was set back"
        age = now - self._read_at
        return f"it was last read {age:.0f} s ago" if age > TRUST else None

    def _lose(self, reason: str) -> None:
        self._status = self._status._replace(lost=self._status.lost + 1)
        emit("log.lost", reason=reason)
        logger.error("the log of commands may have lost entries (%s): everything that is cached here is invalidated", reason)
        self._undelivered.clear()
        self._following.lost()

    async def _read(self, log: Log, after: LogEnd, until: LogEnd) -> None:
        position: int | None = 0
        before = self._status
        while position is not None:
            window = await log.between(after, until, position, WINDOW)
            self._status = self._status._replace(read=self._status.read + len(window.entries))
            for entry in window.entries:
                if not self._following.is_known(entry) and entry.id not in self._undelivered:
                    await self._deliver(entry)
            for one in window.broken:
                self._undelivered.abandon(one.operation, one.command, 1, one.error)
            position = window.position
            self.moved()
        read, replayed = self._status.read - before.read, self._status.replayed - before.replayed
        if read:
            emit("log.read", entries=read, replayed=replayed, lag=self._status.lag)

    async def _deliver(self, entry: LogEntry) -> None:
        """Try to complete one. In a task of its own, because an invalidation that hangs must not keep the next ones waiting."""
        trying = asyncio.create_task(self._try(entry), name=f"opwright completion {entry.id}")
        try:
            await asyncio.wait([trying], timeout=HASTE if self._undelivered.any_hangs else GRACE)
        except asyncio.CancelledError:
            trying.cancel()
            await asyncio.wait([trying])
            raise
        if not trying.done():
            self._undelivered.overtaken(entry, trying)
            trying.add_done_callback(lambda _: self.wake())

    async def _try(self, entry: LogEntry) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                new = await self._following.deliver(entry)
        except asyncio.CancelledError:
            self._failed_try(entry, RuntimeError("what it waits for was cancelled"))
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not keep others from being delivered
            self._failed_try(entry, error)
        else:
            self._undelivered.delivered(entry.id)
            lag = max(self._clock().now() - entry.logged_at, 0) / SECOND
            self._status = self._status._replace(replayed=self._status.replayed + new, lag=lag)

    def _failed_try(self, entry: LogEntry, error: Exception) -> None:
        """Note it, unless the try itself was cancelled, because the reading ends or everything is invalidated."""
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            self._undelivered.failed(entry, error)

"""The reading of the log for one process, in one of its event loops: a reader, and the watcher that wakes it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from opwright.app.station_watcher import StationWatcher
from opwright.commands.commander import Commander
from opwright.commands.db_completion_notifier import DbOperationCompletionNotifier
from opwright.computed.caches import Caches
from opwright.log.reader import DbOperationLogReader
from opwright.model.log_entry import LogEntry
from opwright.operations.client import Client
from opwright.store.log import Log

GATE_SECONDS = 1.0  # that a first value waits for the reading to begin; later it is computed, and invalidated when that begins


class LogStation:
    """Reads while anything depends on the log: values of computed functions, or whoever listens to completions.

    A value may only be kept if everything that is committed after its computing began will be read. So a first value waits for
    the reading to begin, at the end of the log; whatever came past that gate (in another thread, or because the database was
    away for too long) is invalidated at that moment.
    """

    def __init__(self, client: Client, commander: Commander, caches: Caches, notifier: DbOperationCompletionNotifier) -> None:
        self.loop = asyncio.get_running_loop()
        self.reader = DbOperationLogReader(self, lambda: commander.clock)
        self._commander = commander
        self._caches = caches
        self._notifier = notifier
        self._watcher = StationWatcher(client, commander, self.reader.wake)
        self._waiting = 0  # at the gate
        self._begun = asyncio.Event()

    async def start(self) -> None:
        """Begin to watch over what is cached. Asks nothing of the database until something is."""
        self._caches.gate = self.gate
        await self.reader.start()

    async def stop(self) -> None:
        """End. What is cached stays, and is invalidated when somebody reads again."""
        self._caches.gate = None
        self._begun.set()
        await self.reader.stop()
        await self._watcher.stop()

    async def tell(self) -> None:
        """Let other processes read: something was committed here."""
        await self._watcher.tell()

    # -------------------------------------------------------------------------------- what the reader asks for

    async def log(self) -> Log:
        """The log, and the watcher is started."""
        store = await self._watcher.listen()
        if not self.reader.failing:  # else it tells first that what it could not even open is back
            self.reader.outage = store.outage
        return store.log

    def wanted(self) -> bool:
        """Whether anything is cached that a command can invalidate.

        Where there is no computed function at all, commands invalidate something that only the application knows of.
        """
        if not self._concerned:
            return False
        if self._caches.occupied or self._waiting:
            return True
        return not self._caches.used or self._commander.notifier.is_followed

    def begins(self) -> None:
        """Open the gate."""
        self._caches.invalidate_all()
        self._caches.gate = None
        self._begun.set()

    def rests(self) -> None:
        """Close it."""
        self._begun.clear()
        self._caches.gate = self.gate

    def lost(self) -> None:
        """Invalidate everything."""
        self._caches.invalidate_all()

    def is_known(self, entry: LogEntry) -> bool:
        """Whether it was carried out here."""
        return self._commander.notifier.is_known(entry)

    async def deliver(self, entry: LogEntry) -> bool:
        """Invalidate what an entry of another process says."""
        return await self._notifier.replay(entry)

    # -------------------------------------------------------------------------------------------------- inside

    async def gate(self) -> None:
        """What a value waits for before it is computed, as long as nothing is read."""
        if not self._concerned:
            return
        if asyncio.get_running_loop() is not self.loop:
            with suppress(RuntimeError):  # closed
                self.loop.call_soon_threadsafe(self.reader.wake)
        elif not self.reader.failing:
            await self._wait()

    async def _wait(self) -> None:
        self._waiting += 1
        self.reader.wake()
        try:
            async with asyncio.timeout(GATE_SECONDS):
                await self._begun.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting -= 1

    @property
    def _concerned(self) -> bool:
        return self._commander.registry.invalidates or self._commander.notifier.is_followed

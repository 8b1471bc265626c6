"""Who reads the log of commands in this process: whatever opens the application, wherever it runs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import suppress

from opwright.app.log_station import LogStation
from opwright.commands.commander import Commander
from opwright.commands.db_completion_notifier import DbOperationCompletionNotifier
from opwright.computed.caches import Caches
from opwright.errors import InvalidOperation
from opwright.log.reader import LogStatus
from opwright.model.log_entry import LogEntry
from opwright.operations.client import Client


class LogReading:
    """One event loop reads for the whole process: the first that enters, and when that leaves another one.

    A program that has opened the application, a host and a worker process each enter.
    """

    def __init__(self, client: Client, commander: Commander, caches: Caches) -> None:
        self._client = client
        self._commander = commander
        self._caches = caches
        self._notifier = DbOperationCompletionNotifier(commander.notifier, self._changed)
        self._users: dict[asyncio.AbstractEventLoop, int] = {}
        self._station: LogStation | None = None
        self._lock = threading.Lock()

    async def enter(self) -> None:
        """One user more in the running event loop."""
        loop = asyncio.get_running_loop()
        self._users[loop] = self._users.get(loop, 0) + 1
        await self._occupy()

    async def leave(self) -> None:
        """One user less; after the last of the loop that reads, another loop does."""
        loop = asyncio.get_running_loop()
        self._users[loop] -= 1
        if self._users[loop]:
            return
        del self._users[loop]
        station = self._station
        if station is not None and station.loop is loop:
            self._station = None
            await station.stop()
            self._hand_over()

    async def entered(self) -> AsyncIterator[None]:
        """The same for a worker process, from before it is ready until it leaves."""
        await self.enter()
        yield
        await self.leave()

    def status(self) -> LogStatus:
        """How far the reading has come."""
        station = self._reads()
        return LogStatus() if station is None else station.reader.status()

    async def caught_up(self, entry: LogEntry | int, timeout: float) -> None:
        """See ``Opwright.caught_up``."""
        station = self._reads()
        if station is None:
            raise InvalidOperation("nobody reads the log here: open the application first, `async with ops:`")
        if isinstance(entry, LogEntry) and entry.origin == self._commander.origin:
            return
        operation = entry.id if isinstance(entry, LogEntry) else entry
        waiting = asyncio.run_coroutine_threadsafe(station.reader.caught_up(operation), station.loop)
        try:
            await asyncio.wait_for(asyncio.wrap_future(waiting), timeout)
        except TimeoutError:
            raise TimeoutError(f"operation {operation} was not read within {timeout:g} s") from None

    def _reads(self) -> LogStation | None:
        """What reads, unless its event loop was closed without leaving."""
        return None if self._station is None or self._station.loop.is_closed() else self._station

    async def _changed(self) -> None:
        """Let the loop that reads tell other processes."""
        station = self._reads()
        if station is None:  # who has not opened the application tells nobody: the others find it when they poll
            return
        if station.loop is asyncio.get_running_loop():
            await station.tell()
        else:
            with suppress(RuntimeError):  # closed at this very moment
                asyncio.run_coroutine_threadsafe(station.tell(), station.loop)

    async def _occupy(self) -> None:
        with self._lock:  # two loops may enter at the same time
            if self._reads() is not None:
                return
            station = self._station = LogStation(self._client, self._commander, self._caches, self._notifier)
        await station.start()

    def _hand_over(self) -> None:
        for loop in tuple(self._users):
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(self._occupy(), loop)
                return

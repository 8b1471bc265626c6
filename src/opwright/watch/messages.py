"""What all log watchers that send something have in common: when it is sent, and what becomes of what is heard."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

from opwright.errors import StoreUnavailable
from opwright.service import Service
from opwright.store.notifier import REST, Notifier
from opwright.telemetry import emit, logger
from opwright.watch.log_watcher import DbLogWatcher

# Seconds between two messages of a process that commits all the time. It doubles from the usual rest, which is about what two
# commands take: a message for each would cost half as much as they do, here, in the database and in every process that hears it.
LONGEST_REST = 0.01


class MessageDbLogWatcher(DbLogWatcher):
    """A message is the id of the process that sends it, in decimal digits. ``rest``: least seconds between two messages."""

    def __init__(self, origin: Callable[[], int], name: str, rest: float = REST) -> None:
        super().__init__(origin)
        self.name = name
        self._notifier = Notifier(self._deliver, rest, LONGEST_REST)
        self._wake: Callable[[], None] | None = None
        self._ear: Service | None = None
        self._told_silent = False

    async def start(self, wake: Callable[[], None]) -> None:
        """Begin to listen. Raises ConfigurationError where that can never work, not because nobody answers just now."""
        if self._wake is not None:
            return
        try:
            await self._open()
        except BaseException:  # also who stops it before it has begun
            await self._close()
            raise
        self._wake = wake
        self._ear = self._listener()
        if self._ear is not None:
            await self._ear.start()

    async def stop(self) -> None:
        """Send what is due, within two seconds, and close everything."""
        if self._wake is None:
            return
        self._wake, ear, self._ear = None, self._ear, None
        await self._notifier.close()
        if ear is not None:
            await ear.stop()
        await self._close()

    async def changed(self) -> None:
        """Send the id of this process soon."""
        if self._wake is not None:
            self._notifier.send()

    @abstractmethod
    async def _open(self) -> None:
        """Make ready to send. Raises ConfigurationError."""

    @abstractmethod
    def _listener(self) -> Service | None:
        """What calls ``_connected`` and ``_heard``; it tells of its trouble itself. None where nobody can listen."""

    @abstractmethod
    async def _send(self, message: str) -> None:
        """Send a message. Raises StoreUnavailable, or another error of its own."""

    @abstractmethod
    async def _close(self) -> None:
        """Let go of what sends."""

    def _connected(self) -> None:
        """The way is there (again), and nobody knows what was said meanwhile."""
        emit("watcher.connected", watcher=self.name)
        self._call_wake()

    def _heard(self, message: str) -> None:
        if message != str(self.origin()):
            self._call_wake()

    def _call_wake(self) -> None:
        if self._wake is not None:
            self._wake()

    async def _deliver(self) -> None:
        try:
            await self._send(str(self.origin()))
        except Exception as error:  # noqa: BLE001 - whatever it is, the log is polled, and who commits must not suffer
            self._failed(error)
        else:
            self._told_silent = False

    def _failed(self, error: Exception) -> None:
        emit("watcher.silent", watcher=self.name, error=error)
        if not self._told_silent:
            shown = None if isinstance(error, StoreUnavailable) else error
            logger.warning(
                "%s: other processes are not told of commits and find them by polling: %s", self.name, error, exc_info=shown
            )
        self._told_silent = True

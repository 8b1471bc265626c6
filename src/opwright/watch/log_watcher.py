"""The seam between the log of commands and what wakes its readers: told after a commit here, heard of commits elsewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from opwright.service import Outage


class DbLogWatcher(ABC):
    """Wakes log readers of other processes early. It carries no data and may lose a message: who reads the log polls it too.

    ``origin``: gives the id of this process. Each message bears it, and who hears its own does nothing. One watcher belongs to
    one event loop, the one that started it; it may be started again after a stop.
    """

    def __init__(self, origin: Callable[[], int]) -> None:
        self.origin = origin
        self.outage = Outage()  # that of the store, for a watcher that needs the same database

    async def check(self) -> str:
        """Whether it could work here, for who checks a set-up: what it works with, in words. Changes and keeps nothing.

        Raises ConfigurationError when it never can, StoreUnavailable when nobody answers just now. A watcher that does not
        say is trusted.
        """
        return ""

    @abstractmethod
    async def start(self, wake: Callable[[], None]) -> None:
        """Begin to listen; returns before it hears anything.

        ``wake`` is called in this loop, soon after other processes have committed, once for a burst; and each time the way to
        them is there (again), because messages may have been lost before.
        """

    @abstractmethod
    async def stop(self) -> None:
        """Send what is due, end, and leave nothing open. Harmless twice, and before ``start()``."""

    @abstractmethod
    async def changed(self) -> None:
        """Tell the others soon that this process has committed entries. Returns without waiting for that, and never raises.

        Many calls become one message. That they cannot be sent is logged once. Nothing is sent before ``start()``.
        """


class NoDbLogWatcher(DbLogWatcher):
    """Polling only: it tells nobody and never wakes."""

    async def check(self) -> str:
        """Nothing that could fail."""
        return "the log is polled every 4.5 s"

    async def start(self, wake: Callable[[], None]) -> None:
        """There is nothing to listen to."""

    async def stop(self) -> None:
        """Nothing is open."""

    async def changed(self) -> None:
        """The others find it when they poll."""

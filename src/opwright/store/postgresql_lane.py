"""The few connections of PostgreSQL that one part of a host may use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from opwright.store.postgresql_connection import PostgresConnection
from opwright.store.postgresql_errors import harmless


class PostgresLane:
    """Connections, the last one used first; whoever finds none free waits for one. ``connect`` makes a new one."""

    def __init__(self, connect: Callable[[], Awaitable[PostgresConnection]], most: int) -> None:
        self._connect = connect
        self._free: list[PostgresConnection] = []
        self._places = asyncio.Semaphore(most)
        self._closed = False

    @property
    def is_full(self) -> bool:
        """Whether whoever wants a connection now has to wait for one."""
        return self._places.locked()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[PostgresConnection]:
        """One connection, for a block."""
        connection = await self.take()
        try:
            yield connection
        except BaseException as error:
            self.take_back(connection, error)
            raise
        self.take_back(connection)

    async def take(self) -> PostgresConnection:
        """One connection, to be given to ``take_back``."""
        await self._places.acquire()
        try:
            return self._waiting() or await self._connect()
        except BaseException:
            self._places.release()
            raise

    def take_back(self, connection: PostgresConnection, error: BaseException | None = None) -> None:
        """Keep it, or throw it away when its state is unknown: after a cancelled call, or a broken one.

        ``error``: what ended its use.
        """
        is_known = error is None or harmless(error)
        if is_known and connection.sound() and not self._closed:
            self._free.append(connection)
        else:
            connection.discard()
        self._places.release()

    def abandon(self) -> None:
        """Close every free connection's socket."""
        for connection in self._drained():
            connection.abandon()

    async def close(self) -> None:
        """Close what is free now, and what is in use when it comes back."""
        self._closed = True
        await asyncio.gather(*(connection.close() for connection in self._drained()))

    def renew(self) -> None:
        """Give up what is free: the next connections are made anew, perhaps to another server."""
        for connection in self._drained():
            connection.discard()

    def _waiting(self) -> PostgresConnection | None:
        """One that is free and still open; the server may have ended it meanwhile."""
        while self._free:
            connection = self._free.pop()
            if connection.sound():
                return connection
            connection.discard()
        return None

    def _drained(self) -> list[PostgresConnection]:
        free, self._free = self._free, []
        return free

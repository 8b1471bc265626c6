"""Hears PostgreSQL's NOTIFY, and knows when it has gone deaf.

A LISTEN connection can die without a word (a half-open socket, a proxy that forgot it). So the watcher sends itself a
notification now and then and waits for it. After each reconnect it reports a change: what was sent meanwhile is lost.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

from opwright.errors import StoreUnavailable
from opwright.service import Service
from opwright.store.postgresql import PostgresEngine
from opwright.telemetry import emit

PROBE_PERIOD = 15.0
ECHO_SECONDS = 5.0


class PostgresWatcher(Service):
    """One LISTEN connection. ``channel``: what it hears of; by default of what there is to do."""

    def __init__(self, engine: PostgresEngine, changed: Callable[[], None], channel: str | None = None) -> None:
        super().__init__("postgresql watcher")
        self._channel = channel or engine.channel
        self._engine = engine
        self._changed = changed
        self._connection: Any = None
        self._echo = asyncio.Event()
        self._own = f"opwright_echo_{secrets.token_hex(8)}"

    async def run_once(self) -> float:
        """Connect if need be, then prove that notifications arrive."""
        if self._connection is None or self._connection.is_closed():
            await self._connect()
        await self._probe()
        return PROBE_PERIOD

    async def stop(self) -> None:
        """End, and close the connection."""
        await super().stop()
        self._drop()

    async def _connect(self) -> None:
        connection = await self._engine.listen({self._own: self._echoed, **self._channels()})
        connection.add_termination_listener(self._gone)
        self._connection = connection
        emit("watcher.connected", watcher=self.name)
        self._changed()

    def _channels(self) -> dict[str, Callable[..., None]]:
        return {self._channel: self._heard, self._engine.waits_channel: self._asked}

    def _gone(self, connection: object) -> None:
        """The server ended it. One that we dropped ourselves is tried again after a pause, not at once."""
        if connection is self._connection:
            self.wake()

    async def _probe(self) -> None:
        self._echo.clear()
        try:
            async with asyncio.timeout(ECHO_SECONDS):
                await self._connection.execute("select pg_notify($1, '')", self._own)
                await self._echo.wait()
        except Exception as error:
            self._drop()
            emit("watcher.deaf", watcher=self.name, error=error)
            raise StoreUnavailable(f"the LISTEN connection went deaf ({error!r}); polling goes on meanwhile") from error

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    def _heard(self, _connection: object, pid: int, *_: object) -> None:
        """What this process sends it knows already: its own submits wake its scheduler directly."""
        if pid not in self._engine.senders:
            self._changed()

    def _asked(self, _connection: object, pid: int, *_: object) -> None:
        """Who waits in this very process hears of its ends directly."""
        if pid not in self._engine.senders:
            self._engine.asked_for_ends()

    def _echoed(self, *_: object) -> None:
        self._echo.set()

"""The log watcher of PostgreSQL: NOTIFY and LISTEN, nothing besides the database."""

from __future__ import annotations

from collections.abc import Callable

from opwright.errors import StoreUncertain
from opwright.service import Service
from opwright.store.engine import Lane
from opwright.store.postgresql import PostgresEngine
from opwright.watch.messages import MessageDbLogWatcher
from opwright.watch.postgresql import PostgresWatcher

NAME = "postgresql log watcher"


class PostgreSqlDbLogWatcher(MessageDbLogWatcher):
    """Sends on the engine's connections and listens on one of its own, which is proved to hear now and then.

    Behind a pooler without ``listen_url`` it only sends.
    """

    def __init__(self, origin: Callable[[], int], engine: PostgresEngine) -> None:
        super().__init__(origin, NAME)
        self._engine = engine

    async def check(self) -> str:
        """The database is looked at by itself; here is only whether this process would hear."""
        return "NOTIFY in the database" + ("" if self._engine.listen_url else "; it hears nothing itself, and polls")

    async def _open(self) -> None:
        """The engine's owner has opened it."""

    def _listener(self) -> Service | None:
        if self._engine.listen_url is None:
            return None
        ear = _Ear(self._engine, self._call_wake, self._heard)
        ear.outage = self.outage
        return ear

    async def _send(self, message: str) -> None:
        try:
            await self._notify(message)
        except StoreUncertain:  # the connection may have died while nobody used it, and twice is harmless
            await self._notify(message)

    async def _notify(self, message: str) -> None:
        await self._engine.run("notify_log", Lane.CONTROL, channel=self._engine.log_channel, message=message)

    async def _close(self) -> None:
        """The engine's owner closes it."""


class _Ear(PostgresWatcher):
    """Hears who has committed, where the other watchers of a database hear that there is something."""

    def __init__(self, engine: PostgresEngine, connected: Callable[[], None], heard: Callable[[str], None]) -> None:
        super().__init__(engine, connected)
        self.name = NAME
        self._message = heard

    def _channels(self) -> dict[str, Callable[..., None]]:
        return {self._engine.log_channel: self._origin_heard}

    def _origin_heard(self, _connection: object, _pid: int, _channel: str, message: str) -> None:
        self._message(message)

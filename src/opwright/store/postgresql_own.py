"""The connections of PostgreSQL on which transactions of callers run: what one has left in the session, the next must not find.

Settings, locks, cursors and subscriptions are forgotten together with the next BEGIN, or a moment later if none comes: a round
trip of its own would cost as much as a statement of the transaction. Rejected: forgetting it together with the COMMIT, for what
fails then would look like a COMMIT that failed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg

from opwright.store.statements import Part

if TYPE_CHECKING:
    _Connection = asyncpg.Connection[asyncpg.Record]
else:
    _Connection = asyncpg.Connection

SOON = 0.02  # seconds: a lock that was left behind may keep others out
ANSWER_SECONDS = 5.0
BEGIN_SECONDS = 35.0  # what comes after it has no limit, for it is the caller's


class OwnConnection(_Connection):
    """asyncpg's, with ``forget`` after each block and ``ready`` before the next. ``prepares``: not through a pooler."""

    prepares = True
    _last: str | None = None
    _has_listeners = False
    _postpones = False
    _is_unclean = False
    _timer: asyncio.TimerHandle | None = None
    _cleaning: asyncio.Task[None] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepared: dict[str, Any] = {}

    async def forget(self) -> None:
        """What is known here of the session at once, the session itself soon."""
        if self._has_listeners:
            await self._silence()
        self._is_unclean = True
        self._timer = asyncio.get_running_loop().call_later(SOON, self._clean_now)

    async def ready(self) -> None:
        """Wait until a BEGIN may be sent."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, cleaning, self._cleaning = None, self._cleaning, None
        if cleaning is not None:
            await asyncio.wait({cleaning})

    async def add_listener(self, channel: str, callback: Any) -> None:
        """The driver's."""
        self._has_listeners = True
        await super().add_listener(channel, callback)

    def add_log_listener(self, callback: Any) -> None:
        """The driver's."""
        self._has_listeners = True
        super().add_log_listener(callback)

    def get_reset_query(self) -> str:
        """What the driver sends to forget everything; nothing where that is sent later."""
        return "" if self._postpones else super().get_reset_query()

    async def with_commit(self, part: Part, values: dict[str, Any]) -> None:
        """Send a last statement in one message with the COMMIT: a round trip of its own is a fourth of a small transaction."""
        if self.is_closed():  # so the COMMIT will not be sent, and nobody need ask what became of it
            raise asyncpg.InterfaceError("connection is closed")
        if not self.prepares:
            self._last = part.written(values)
            return
        if part.sql not in self._prepared:
            self._prepared[part.sql] = await self.prepare(part.sql, name=f"opwright_{len(self._prepared)}")
        self._last = part.executed(self._prepared[part.sql].get_name(), values)

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """The driver's. A BEGIN comes after what is still to be forgotten, in a transaction before its own."""
        last, self._last = self._last, None
        if last is not None and not query.startswith("ROLLBACK"):
            query = f"{last};\n{query}"
        if query.startswith("BEGIN"):
            timeout = BEGIN_SECONDS
        if self._is_unclean:
            self._is_unclean = False
            query = f"BEGIN;\n{self.get_reset_query()}\nCOMMIT;\n{query}"
        return await super().execute(query, *args, timeout=timeout)

    async def close(self, *, timeout: float | None = None) -> None:
        """Close it, after what is under way."""
        await self.ready()
        await super().close(timeout=timeout)

    def terminate(self) -> None:
        """Close it without a word."""
        if self._timer is not None:
            self._timer.cancel()
        super().terminate()

    async def _silence(self) -> None:
        """Whom the driver calls, it knows by itself."""
        self._has_listeners, self._postpones = False, True
        try:
            await self.reset()
        finally:
            self._postpones = False

    def _clean_now(self) -> None:
        self._timer, self._is_unclean = None, False
        self._cleaning = asyncio.get_running_loop().create_task(self._clean())

    async def _clean(self) -> None:
        try:
            await self.reset(timeout=ANSWER_SECONDS)
        except Exception:  # noqa: BLE001 - whoever wants to use it finds it closed
            self.terminate()

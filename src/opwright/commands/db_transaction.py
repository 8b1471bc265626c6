"""The transaction of a durable scope: whose connection it is, how it begins and how it ends."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from opwright.errors import OpwrightError, StoreBusy, StoreUncertain
from opwright.store import own
from opwright.store.engine import Engine

PATIENCE = 35.0  # seconds until a connection is there; on SQLite who holds the file is told a little earlier


class DbTransaction(Protocol):
    """``connection``: what a handler writes with, and what ``recognise`` knows; it is there once the transaction has begun."""

    connection: Any

    async def begin(self) -> None:
        """Begin. What is cancelled or fails here leaves nothing open."""

    def is_open(self) -> bool:
        """Whether nobody else has ended it."""

    async def commit(self) -> None:
        """Commit, and let go of the connection. Raises StoreUncertain when nobody knows whether it has been committed."""

    async def roll_back(self, *, keep: bool) -> None:
        """Undo everything, and let go of the connection. ``keep``: it may be used again."""


class EngineTransaction:
    """One of our own, on the connection of the driver: asyncpg, or sqlite3."""

    connection: Any

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._block = own.transaction(engine)

    async def begin(self) -> None:
        if not own.stands_in_line(self._engine):
            self.connection = await self._block.__aenter__()
            return
        try:
            async with asyncio.timeout(PATIENCE):
                self.connection = await self._block.__aenter__()
        except TimeoutError as error:
            raise StoreBusy(
                f"no connection for an operation scope came free within {PATIENCE:g} s: do the commands that hold one wait for "
                "isolated commands, which need one each?"
            ) from error

    def is_open(self) -> bool:
        return own.is_open(self.connection)

    async def commit(self) -> None:
        try:
            await self._block.__aexit__(None, None, None)
        except Exception as error:
            if own.is_doubtful(error) and not own.is_unsent(error):
                raise StoreUncertain(f"the answer to a COMMIT was lost ({type(error).__name__}: {error})") from error
            raise

    async def roll_back(self, *, keep: bool) -> None:
        reason = _Undone() if keep else asyncio.CancelledError()
        await self._block.__aexit__(type(reason), reason, None)


class _Undone(OpwrightError):
    """Why the block is left: its connection is none the worse."""

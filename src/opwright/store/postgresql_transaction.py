"""Transactions of callers on PostgreSQL, each on a connection that none of our statements uses."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from opwright.errors import StoreUnavailable
from opwright.store.postgresql_connection import PostgresConnection
from opwright.store.postgresql_errors import harmless
from opwright.store.postgresql_lane import PostgresLane

ISOLATION = "read_committed"


class OwnTransaction:
    """A block that commits at its end, or rolls back on any error. What goes wrong in it, the caller sees as it is.

    A class, not generators around each other: every durable command has one.
    """

    _connection: PostgresConnection
    _transaction: Any

    def __init__(self, lane: PostgresLane, *, pooled: bool) -> None:
        self._lane = lane
        self._pooled = pooled

    async def __aenter__(self) -> Any:
        connection = self._connection = await self._lane.take()
        raw = connection.raw
        try:
            await raw.ready()
            self._transaction = raw.transaction(isolation=ISOLATION)
            await self._transaction.start()
        except BaseException as error:
            self._lane.take_back(connection, error)
            if isinstance(error, TimeoutError):
                raise StoreUnavailable("PostgreSQL does not answer: a BEGIN was given up") from error
            raise
        return raw

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            await self._undo(error)
            return
        try:
            await self._transaction.commit()
        except BaseException as refused:
            await self._let_go(refused)
            raise
        await self._let_go()

    async def _undo(self, error: BaseException) -> None:
        """What went wrong first is what the caller must hear: the connection may be gone."""
        try:
            with suppress(Exception):
                await self._transaction.rollback()
        except BaseException as worse:
            error = worse
            raise
        finally:
            await self._let_go(error)

    async def _let_go(self, error: BaseException | None = None) -> None:
        """Nothing that the block has set is there for the next. ``error``: what ended it."""
        try:
            if error is None or harmless(error):
                await self._clean()
        except BaseException as worse:
            error = worse
            if not isinstance(worse, Exception):
                raise
        finally:
            self._lane.take_back(self._connection, error)

    async def _clean(self) -> None:
        """Raises what the driver does when the connection broke after the end. Behind a pooler the session is nobody's."""
        raw = self._connection.raw
        if raw.is_in_transaction():  # what was sent with the COMMIT was refused, and the COMMIT with it
            await raw.execute("ROLLBACK")
        if not self._pooled:
            await raw.forget()

"""Transactions of our own that a trigger may write in: on a connection that nothing else of Opwright uses."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

from opwright.errors import ExtraMissing
from opwright.store.engine import Engine
from opwright.store.lent import LentConnection
from opwright.store.postgresql import PostgresEngine
from opwright.store.postgresql_address import libpq_parameters
from opwright.store.sqlite import SqliteEngine
from opwright.store.sqlite_file import patiently

PATIENCE = 30.0  # seconds: the blocks of other workers come first, and each may last a while


def transaction(engine: Engine) -> AbstractAsyncContextManager[Any]:
    """A transaction for asynchronous code: the connection of the driver. Commits at the end, rolls back on any error."""
    if isinstance(engine, PostgresEngine):
        return engine.transaction()
    assert isinstance(engine, SqliteEngine)  # noqa: S101 - there are two engines
    return _in_file(engine)


@asynccontextmanager
async def _in_file(engine: SqliteEngine) -> AsyncIterator[LentConnection]:
    async with engine.own_turn:  # in line here, not in threads: the thread that is to commit must not wait behind them
        if (pause := engine.pauses.left()) > 0:
            await asyncio.sleep(pause)
        connection, began = await _begun_in_turn(engine), time.monotonic()
        try:
            yield connection
            await engine.commit(connection)
        except BaseException:
            connection.close()  # rolls back what was not committed
            raise
        else:
            engine.give_back(connection)
        finally:
            engine.pauses.after(began, time.monotonic(), wanted=engine.crowded or engine.writer_waits)


def stands_in_line(engine: Engine) -> bool:
    """Whether a transaction may have to wait for as long as others of this process last."""
    if isinstance(engine, PostgresEngine):
        return engine.is_full
    assert isinstance(engine, SqliteEngine)  # noqa: S101 - there are two engines
    return engine.own_turn.length > 0


@contextmanager
def transaction_now(engine: Engine) -> Iterator[Any]:
    """The same for synchronous code. Raises ExtraMissing where PostgreSQL's driver for it is not installed."""
    if isinstance(engine, PostgresEngine):
        try:
            import psycopg
        except ImportError:
            raise ExtraMissing("psycopg", "psycopg") from None
        # Behind PgBouncer a prepared statement may be met on another server connection. Commits, or rolls back, and closes.
        ours = libpq_parameters(engine.url, pooled=engine.pooled)
        with psycopg.connect(engine.url, prepare_threshold=None if engine.pooled else 5, **ours) as raw:
            yield raw
        return
    connection = _begun(engine)
    try:
        yield connection
        connection.commit()
    finally:
        connection.close()


def is_doubtful(error: Exception) -> bool:
    """Whether nobody knows what became of a COMMIT that raised this."""
    if isinstance(error, sqlite3.Error):
        return isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorname", "") != "SQLITE_FULL"
    state = str(getattr(error, "sqlstate", None) or "08")
    return state.startswith(("08", "57P"))


def is_unsent(error: Exception) -> bool:
    """Whether the driver, which is asyncpg, refused to send something, because an earlier statement still runs."""
    return "another operation is in progress" in str(error)


def is_open(connection: Any) -> bool:
    """Whether the transaction is still the one that was begun, as far as its connection tells; a broken one tells nothing."""
    if isinstance(connection, sqlite3.Connection):
        return connection.in_transaction
    return bool(connection.is_closed() or connection.is_in_transaction())


async def _begun_in_turn(engine: SqliteEngine) -> LentConnection:
    """Begin here, on the connection of the block before, or where somebody else is writing, in a thread that waits."""
    spare = engine.spare()
    if spare is not None and _begins_at_once(spare):
        return spare
    beginning = asyncio.create_task(asyncio.to_thread(_begun, engine, spare))
    try:
        return await asyncio.shield(beginning)
    except asyncio.CancelledError:  # the thread goes on: what it has begun then is ended as soon as it has
        beginning.add_done_callback(_end)
        raise


def _begins_at_once(connection: LentConnection) -> bool:
    try:
        connection.execute("begin immediate")
    except sqlite3.OperationalError:  # busy, mostly; whoever tries again says what else it is
        return False
    return True


def _end(beginning: asyncio.Task[LentConnection]) -> None:
    if not beginning.cancelled() and beginning.exception() is None:
        beginning.result().close()


def _begun(engine: Engine, spare: LentConnection | None = None) -> LentConnection:
    """At once with the right to write: a reader that turns writer may find that it cannot."""
    assert isinstance(engine, SqliteEngine)  # noqa: S101 - there are two engines
    connection = spare or LentConnection.to(engine.path)
    try:
        patiently(lambda: connection.execute("begin immediate"), PATIENCE, engine.path)
    except BaseException:
        connection.close()
        raise
    return connection

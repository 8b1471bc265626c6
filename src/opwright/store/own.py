"""Transactions of our own that a trigger may write in: on a connection that nothing else of Opwright uses."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from opwright.errors import ExtraMissing
from opwright.store.engine import Engine
from opwright.store.postgresql import PostgresEngine
from opwright.store.sqlite import SqliteEngine
from opwright.store.sqlite_file import connect, patiently


@asynccontextmanager
async def transaction(engine: Engine) -> AsyncIterator[Any]:
    """A transaction for asynchronous code: the connection of the driver. Commits at the end, rolls back on any error."""
    if isinstance(engine, PostgresEngine):
        async with engine.transaction() as raw:
            yield raw
        return
    connection = await asyncio.to_thread(_begun, engine)
    try:
        yield connection
        await asyncio.to_thread(connection.commit)
    finally:
        connection.close()  # rolls back what was not committed


@contextmanager
def transaction_now(engine: Engine) -> Iterator[Any]:
    """The same for synchronous code. Raises ExtraMissing where PostgreSQL's driver for it is not installed."""
    if isinstance(engine, PostgresEngine):
        try:
            import psycopg
        except ImportError:
            raise ExtraMissing("psycopg", "psycopg") from None
        with psycopg.connect(engine.url) as raw:  # commits, or rolls back, and closes
            yield raw
        return
    connection = _begun(engine)
    try:
        yield connection
        connection.commit()
    finally:
        connection.close()


def _begun(engine: Engine) -> sqlite3.Connection:
    """At once with the right to write: a reader that turns writer may find that it cannot."""
    assert isinstance(engine, SqliteEngine)  # noqa: S101 - there are two engines
    connection = connect(engine.path, writes=False)
    patiently(lambda: connection.execute("begin immediate"), engine.busy, engine.path)
    return connection

"""Floors of durable commands, measured with them: the bare transaction with the same writes, a row of its own and a log entry."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.bench import Bench

Write = Callable[[int], Awaitable[object]]

BUSINESS = "insert into business (text) values ($1)"
_BUSINESS = "create table business (id {identity}, text text not null)"
_LOG = """create table log (position {identity}, {xid} id bigint not null unique, logged_at bigint not null, origin bigint,
command text, inputs {json}, items {json}, nested {json})"""
POSTGRESQL = [
    text.format(
        identity="bigint generated always as identity primary key", json="json", xid="xid xid8 default pg_current_xact_id(),"
    )
    for text in (_BUSINESS, _LOG)
] + ["create index log_xid on log (xid)"]  # fmt: skip
SQLITE = [text.format(identity="integer primary key autoincrement", json="text", xid="") for text in (_BUSINESS, _LOG)]
ENTRY = """insert into log (id, logged_at, origin, command, inputs, items, nested)
values ($1, 1, 1, 'place_order', '{"customer":1,"text":"an order"}', '{}', '[]')"""


@asynccontextmanager
async def bare_postgresql(bench: Bench) -> AsyncIterator[Write]:
    """One client, four round trips a transaction."""
    with bench.database("postgresql") as url:
        connection: Any = await asyncpg.connect(url)
        for statement in POSTGRESQL:
            await connection.execute(statement)

        async def write(number: int) -> None:
            async with connection.transaction():
                await connection.execute(BUSINESS, "an order")
                await connection.execute(ENTRY, number)

        try:
            yield write
        finally:
            await connection.close()


@asynccontextmanager
async def bare_sqlite(bench: Bench) -> AsyncIterator[Write]:
    """One connection, which waits for the disk."""
    with bench.database("sqlite") as url, closing(_opened(url)) as connection:

        async def write(number: int) -> None:
            connection.execute("begin immediate")
            connection.execute(BUSINESS, ("an order",))
            connection.execute(ENTRY, (number,))
            connection.execute("commit")

        yield write


def _opened(url: str) -> sqlite3.Connection:
    connection = sqlite3.connect(Path(url.removeprefix("sqlite:///")), isolation_level=None)
    for statement in ("pragma journal_mode = wal", "pragma synchronous = full", *SQLITE):
        connection.execute(statement)
    return connection

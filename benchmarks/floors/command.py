"""Floors of durable commands, measured with them: the bare transaction with the same writes, a row of its own and a log entry."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiosqlite
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
_SETTINGS = ("pragma journal_mode = wal", "pragma synchronous = full")
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
    """One connection, which keeps the event loop waiting for the disk."""
    with bench.database("sqlite") as url, closing(sqlite3.connect(_path(url), isolation_level=None)) as connection:
        for statement in (*_SETTINGS, *SQLITE):
            connection.execute(statement)

        async def write(number: int) -> None:
            connection.execute("begin immediate")
            connection.execute(BUSINESS, ("an order",))
            connection.execute(ENTRY, (number,))
            connection.execute("commit")

        yield write


@asynccontextmanager
async def awaited_sqlite(bench: Bench) -> AsyncIterator[Write]:
    """The same as an asynchronous program writes it: a thread has the connection, and the loop goes on meanwhile."""
    with bench.database("sqlite") as url:
        async with aiosqlite.connect(_path(url), isolation_level=None) as connection:
            for statement in (*_SETTINGS, *SQLITE):
                await connection.execute(statement)

            async def write(number: int) -> None:
                await connection.execute("begin immediate")
                await connection.execute(BUSINESS, ("an order",))
                await connection.execute(ENTRY, (number,))
                await connection.commit()

            yield write


def _path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))

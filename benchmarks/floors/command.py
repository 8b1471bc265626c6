"""Floors of durable commands: the bare transaction with the same writes, a row of the application's and an entry of a log."""

import sqlite3
import time
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.bench import Bench
from benchmarks.figures import Figure, measure, rate

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


@measure("floor.command.postgresql")
async def postgresql(bench: Bench) -> list[Figure]:
    """One client, four round trips a transaction."""
    count = bench.amount(2000, 200)
    with bench.database("postgresql") as url:
        connection: Any = await asyncpg.connect(url)
        for statement in POSTGRESQL:
            await connection.execute(statement)
        started = time.perf_counter()
        for one in range(count):
            async with connection.transaction():
                await connection.execute(BUSINESS, "an order")
                await connection.execute(ENTRY, one)
        seconds = time.perf_counter() - started
        await connection.close()
    return [rate("floor.command.postgresql", count / seconds)]


@measure("floor.command.sqlite")
async def sqlite(bench: Bench) -> list[Figure]:
    """One connection, which waits for the disk."""
    count = bench.amount(2000, 200)
    with bench.database("sqlite") as url:
        connection = sqlite3.connect(Path(url.removeprefix("sqlite:///")), isolation_level=None)
        for statement in ("pragma journal_mode = wal", "pragma synchronous = full", *SQLITE):
            connection.execute(statement)
        started = time.perf_counter()
        for one in range(count):
            connection.execute("begin immediate")
            connection.execute(BUSINESS, ("an order",))
            connection.execute(ENTRY, (one,))
            connection.execute("commit")
        seconds = time.perf_counter() - started
        connection.close()
    return [rate("floor.command.sqlite", count / seconds)]

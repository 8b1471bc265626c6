"""Floors of submitting to PostgreSQL: COPY, one row a transaction, and beside a row of the caller's own."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.bench import Bench
from benchmarks.figures import Figure, measure, rate
from benchmarks.floors.tables import POSTGRESQL, SUBMIT, connect

CLIENTS = 8


@measure("floor.postgresql.copy")
async def copy(bench: Bench) -> list[Figure]:
    """COPY of the requests and of their places in the queue, a thousand of each a transaction."""
    count = bench.amount(50_000, 10_000)

    async def work(connections: list[Any]) -> None:
        (connection,) = connections
        for first in range(0, count, 1000):
            ids = range(first, first + 1000)
            async with connection.transaction():
                requests = [(one, 1, "nothing", "default", '{"number": 1}') for one in ids]
                await connection.copy_records_to_table("operations", records=requests)
                await connection.copy_records_to_table("ready", records=[("default", 0, one) for one in ids])

    return [await _rate(bench, "floor.postgresql.copy", count, work)]


@measure("floor.postgresql.insert.1", f"floor.postgresql.insert.{CLIENTS}")
async def insert(bench: Bench) -> list[Figure]:
    """One request and its place in the queue a transaction, by one client and by several."""
    count = bench.amount(4000, 400)

    async def work(connections: list[Any]) -> None:
        await asyncio.gather(*(_insert(connection, range(first, count, len(connections)))
                               for first, connection in enumerate(connections)))  # fmt: skip

    names = {clients: f"floor.postgresql.insert.{clients}" for clients in (1, CLIENTS)}
    return [await _rate(bench, name, count, work, clients) for clients, name in names.items()]


@measure("floor.postgresql.transaction")
async def transaction(bench: Bench) -> list[Figure]:
    """A caller's transaction: one row of its own, and one request by hand."""
    count = bench.amount(2000, 200)

    async def work(connections: list[Any]) -> None:
        (connection,) = connections
        for one in range(count):
            async with connection.transaction():
                await connection.execute("insert into business (text) values ($1)", "an order")
                await connection.execute(SUBMIT, one)

    return [await _rate(bench, "floor.postgresql.transaction", count, work)]


async def _insert(connection: Any, ids: range) -> None:
    statement = await connection.prepare(SUBMIT)
    for one in ids:
        await statement.fetch(one)


async def _rate(bench: Bench, name: str, count: int, work: Callable[[list[Any]], Awaitable[None]], clients: int = 1) -> Figure:
    with bench.database("postgresql") as url:
        connections = [await connect(url) for _ in range(clients)]
        await connections[0].execute(POSTGRESQL)
        started = time.perf_counter()
        await work(connections)
        seconds = time.perf_counter() - started
        for connection in connections:
            await connection.close()
    return rate(name, count / seconds)

"""How fast a caller's own transactions are that write one row and submit one operation with it."""

import time

import asyncpg

from benchmarks.application import Application
from benchmarks.bench import Bench
from benchmarks.figures import Figure, measure, rate


@measure("submit.transaction.postgresql", floors=["floor.postgresql.transaction"])
async def postgresql(bench: Bench) -> list[Figure]:
    submitted = await _submitted(bench, bench.amount(2000, 200))
    return [rate("submit.transaction.postgresql", submitted, floor="floor.postgresql.transaction")]


async def _submitted(bench: Bench, count: int) -> float:
    with bench.database("postgresql") as url:
        application = Application.on(url)
        async with application.ops:
            connection = await asyncpg.connect(url)
            await connection.execute("create table business (id bigint generated always as identity primary key, text text)")
            submit = application.nothing.options(on=connection).submit
            started = time.perf_counter()
            for number in range(count):
                async with connection.transaction():
                    await connection.execute("insert into business (text) values ($1)", "an order")
                    await submit(number)
            seconds = time.perf_counter() - started
            await connection.close()
    return count / seconds

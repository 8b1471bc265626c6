"""How fast operations are submitted one by one, each in a transaction of its own: awaited in turn, and by eight tasks."""

import asyncio
import time

from benchmarks.application import Application
from benchmarks.bench import Bench, Engine
from benchmarks.figures import Figure, measure, rate
from benchmarks.floors.postgresql_insert import CLIENTS
from benchmarks.goals import at_least


@measure("submit.single.postgresql", floors=["floor.postgresql.insert.1"])
async def postgresql(bench: Bench) -> list[Figure]:
    submitted = await _submitted(bench, "postgresql", tasks=1)
    goals = (at_least(0.6, "floor.postgresql.insert.1"),)
    return [rate("submit.single.postgresql", submitted, floor="floor.postgresql.insert.1", goals=goals)]


@measure("submit.tasks.postgresql", floors=[f"floor.postgresql.insert.{CLIENTS}"])
async def postgresql_tasks(bench: Bench) -> list[Figure]:
    submitted = await _submitted(bench, "postgresql", tasks=CLIENTS)
    return [rate("submit.tasks.postgresql", submitted, floor=f"floor.postgresql.insert.{CLIENTS}")]


@measure("submit.single.sqlite", floors=["floor.sqlite.insert"])
async def sqlite(bench: Bench) -> list[Figure]:
    submitted = await _submitted(bench, "sqlite", tasks=1)
    return [rate("submit.single.sqlite", submitted, floor="floor.sqlite.insert", goals=(at_least(0.6, "floor.sqlite.insert"),))]


@measure("submit.tasks.sqlite", floors=["floor.sqlite.insert"])
async def sqlite_tasks(bench: Bench) -> list[Figure]:
    submitted = await _submitted(bench, "sqlite", tasks=CLIENTS)
    return [rate("submit.tasks.sqlite", submitted, floor="floor.sqlite.insert")]


async def _submitted(bench: Bench, engine: Engine, *, tasks: int) -> float:
    count = bench.amount(4000, 400)
    with bench.database(engine) as url:
        application = Application.on(url)
        async with application.ops:
            await asyncio.gather(*(application.nothing.submit(0) for _ in range(tasks)))  # opens the connections
            started = time.perf_counter()
            await asyncio.gather(*(_submit(application, count // tasks) for _ in range(tasks)))
            return count / (time.perf_counter() - started)


async def _submit(application: Application, count: int) -> None:
    for number in range(count):
        await application.nothing.submit(number)

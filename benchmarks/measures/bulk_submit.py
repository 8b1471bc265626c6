"""How fast operations are submitted in bulk: a thousand a transaction, and all in one."""

import time

from benchmarks.application import Application
from benchmarks.bench import Bench, Engine
from benchmarks.figures import Figure, measure, rate
from benchmarks.goals import Goal, at_least

BATCH = 1000


@measure("submit.bulk.postgresql", "submit.bulk.postgresql.once", floors=["floor.postgresql.copy"])
async def postgresql(bench: Bench) -> list[Figure]:
    return await _bulk(bench, "postgresql", "floor.postgresql.copy", goals=(at_least(2.5, "submit.bulk.graphile"),))


@measure("submit.bulk.sqlite", "submit.bulk.sqlite.once", floors=["floor.sqlite.bulk"])
async def sqlite(bench: Bench) -> list[Figure]:
    return await _bulk(bench, "sqlite", "floor.sqlite.bulk")


async def _bulk(bench: Bench, engine: Engine, floor: str, goals: tuple[Goal, ...] = ()) -> list[Figure]:
    count = bench.amount(50_000, 5_000)
    sizes = {f"submit.bulk.{engine}": BATCH, f"submit.bulk.{engine}.once": count}
    return [rate(name, await _submitted(bench, engine, count, size), floor=floor, goals=goals) for name, size in sizes.items()]


async def _submitted(bench: Bench, engine: Engine, count: int, batch: int) -> float:
    with bench.database(engine) as url:
        application = Application.on(url)
        async with application.ops:
            await application.nothing.submit(0)
            started = time.perf_counter()
            for first in range(0, count, batch):
                await application.nothing.submit_many([(number,) for number in range(first, first + batch)])
            return count / (time.perf_counter() - started)

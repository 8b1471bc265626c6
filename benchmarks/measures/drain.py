"""How fast a warm host works off operations that do nothing: claim, run, end, with history kept."""

from typing import Literal

from benchmarks.application import Application
from benchmarks.bench import Bench, Engine
from benchmarks.figures import Figure, measure, rate
from benchmarks.hosts import drained, host_here

WORKERS = 2


@measure("drain.postgresql.inline", floors=["floor.postgresql.queue"])
async def postgresql_inline(bench: Bench) -> list[Figure]:
    return [await _drain(bench, "postgresql", "inline", goal="≥ 35,400/s (2 × Graphile)")]


@measure("drain.postgresql.workers", floors=["floor.postgresql.queue"])
async def postgresql_workers(bench: Bench) -> list[Figure]:
    return [await _drain(bench, "postgresql", "process", goal="≥ 17,700/s (1 × Graphile)")]


@measure("drain.sqlite.inline", floors=["floor.sqlite.queue"])
async def sqlite_inline(bench: Bench) -> list[Figure]:
    return [await _drain(bench, "sqlite", "inline", goal="≥ 19,300/s (see docs)")]


@measure("drain.sqlite.workers", floors=["floor.sqlite.queue"])
async def sqlite_workers(bench: Bench) -> list[Figure]:
    return [await _drain(bench, "sqlite", "process", goal="≥ 19,300/s (see docs)")]


async def _drain(bench: Bench, engine: Engine, pool: Literal["inline", "process"], goal: str) -> Figure:
    count = bench.amount(50_000 if pool == "inline" else 20_000, 5_000)
    name = f"drain.{engine}.{'inline' if pool == 'inline' else 'workers'}"
    with bench.database(engine) as url:
        application = Application.on(url)
        async with host_here(application, pool=pool, workers=WORKERS):
            return rate(name, count / await drained(application, count), floor=f"floor.{engine}.queue", goal=goal)

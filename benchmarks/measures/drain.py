"""How fast a warm host works off operations that do nothing: claim, run, end, with history kept."""

from typing import Literal

from benchmarks.application import Application
from benchmarks.bench import Bench, Engine
from benchmarks.figures import Figure, measure, rate
from benchmarks.goals import Goal, at_least
from benchmarks.hosts import drained, host_here

WORKERS = 2
MANY = 1000  # slots, where the default in one process is 100 and in a worker process 1

INLINE, PROCESSES = at_least(2, "drain.graphile"), at_least(1, "drain.graphile")
SQLITE = at_least(0.3, "floor.sqlite.kept")


@measure("drain.postgresql.inline", floors=["floor.postgresql.queue", "floor.postgresql.pgbench"])
async def postgresql_inline(bench: Bench) -> list[Figure]:
    return [await _drain(bench, "postgresql", "inline", INLINE, pool="inline")]


@measure("drain.postgresql.inline_tuned", floors=["floor.postgresql.queue", "floor.postgresql.pgbench"])
async def postgresql_inline_tuned(bench: Bench) -> list[Figure]:
    return [await _drain(bench, "postgresql", "inline_tuned", INLINE, pool="inline", slots=MANY)]


@measure("drain.postgresql.workers", floors=["floor.postgresql.queue", "floor.postgresql.pgbench"])
async def postgresql_workers(bench: Bench) -> list[Figure]:
    return [await _drain(bench, "postgresql", "workers", PROCESSES, pool="process")]


@measure("drain.postgresql.workers_tuned", floors=["floor.postgresql.queue", "floor.postgresql.pgbench"])
async def postgresql_workers_tuned(bench: Bench) -> list[Figure]:
    return [await _drain(bench, "postgresql", "workers_tuned", PROCESSES, pool="process", slots=MANY)]


@measure("drain.sqlite.inline", floors=["floor.sqlite.queue", "floor.sqlite.kept"])
async def sqlite_inline(bench: Bench) -> list[Figure]:
    return [await _drain(bench, "sqlite", "inline", SQLITE, pool="inline")]


@measure("drain.sqlite.workers", floors=["floor.sqlite.queue", "floor.sqlite.kept"])
async def sqlite_workers(bench: Bench) -> list[Figure]:
    return [await _drain(bench, "sqlite", "workers", SQLITE, pool="process")]


async def _drain(
    bench: Bench, engine: Engine, name: str, goal: Goal, *, pool: Literal["inline", "process"], slots: int | None = None
) -> Figure:
    count = bench.amount(50_000 if pool == "inline" else 20_000, 5_000)
    with bench.database(engine) as url:
        application = Application.on(url)
        async with host_here(application, pool=pool, workers=WORKERS, slots=slots):
            ended = count / await drained(application, count)
    return rate(f"drain.{engine}.{name}", ended, floor=f"floor.{engine}.queue", goals=(goal,))

"""How soon the submitter has the result: from the call of ``submit`` until ``result()`` returns."""

import time
from contextlib import AbstractAsyncContextManager
from typing import Any

from benchmarks.application import Application
from benchmarks.bench import Bench, Engine
from benchmarks.figures import Figure, measure, waits
from benchmarks.gaps import gap
from benchmarks.hosts import host_apart, host_here


@measure("finished.postgresql.here", floors=["floor.postgresql.pickup"])
async def postgresql_here(bench: Bench) -> list[Figure]:
    return [await _finished(bench, "postgresql", "here")]


@measure("finished.postgresql.apart", floors=["floor.postgresql.pickup"])
async def postgresql_apart(bench: Bench) -> list[Figure]:
    return [await _finished(bench, "postgresql", "apart")]


@measure("finished.sqlite.here", floors=["floor.sqlite.pickup"])
async def sqlite_here(bench: Bench) -> list[Figure]:
    return [await _finished(bench, "sqlite", "here")]


@measure("finished.sqlite.apart", floors=["floor.sqlite.pickup"])
async def sqlite_apart(bench: Bench) -> list[Figure]:
    return [await _finished(bench, "sqlite", "apart")]


async def _finished(bench: Bench, engine: Engine, where: str) -> Figure:
    with bench.database(engine) as url:
        application = Application.on(url)
        host: AbstractAsyncContextManager[Any] = (
            host_here(application, pool="inline") if where == "here" else host_apart(application, pool="inline")
        )
        async with host:
            seconds = [await _wait(application, number) for number in range(bench.amount(100, 20))]
    return waits(f"finished.{engine}.{where}", seconds, floor=f"floor.{engine}.pickup")


async def _wait(application: Application, number: int) -> float:
    await gap()
    called = time.perf_counter()
    handle = await application.began.submit(number)
    await handle.result()
    return time.perf_counter() - called

"""Where the time of an operation goes: processor time of host, workers and server, WAL and writing transactions.

Each per operation. ``host`` is this process, which submits as well; where there are workers, they are two.
"""

import asyncio
from typing import Literal

from benchmarks.application import Application
from benchmarks.bench import Bench
from benchmarks.expense import Expense, Meter
from benchmarks.figures import Figure, measure
from benchmarks.floors.command import POSTGRESQL, Write, bare_postgresql
from benchmarks.gaps import gap
from benchmarks.hosts import ended, host_here
from benchmarks.measures.command import called

PARTS = ("host", "workers", "server", "wal", "writes")
EACH = ("µs", "µs", "µs", "bytes", "transactions")


def _names(name: str) -> list[str]:
    return [f"anatomy.{name}.{part}" for part in PARTS]


@measure(*_names("drain.inline"))
async def drain_inline(bench: Bench) -> list[Figure]:
    """From the commit of many that do nothing until all have ended."""
    return await _drain(bench, "drain.inline", "inline")


@measure(*_names("drain.workers"))
async def drain_workers(bench: Bench) -> list[Figure]:
    return await _drain(bench, "drain.workers", "process")


@measure(*_names("submit.single"))
async def submit_single(bench: Bench) -> list[Figure]:
    """``await submit()`` in turn, without a host."""
    count = bench.amount(4000, 1000)
    with bench.database("postgresql") as url:
        application = Application.on(url)
        async with application.ops:
            meter = await Meter.on(url)
            await _spent(meter, application.nothing.submit, 100)  # so that its statements are prepared
            spent = await _spent(meter, application.nothing.submit, count)
            await meter.close()
    return _figures("submit.single", spent, count)


@measure(*_names("pickup"))
async def pickup(bench: Bench) -> list[Figure]:
    """Submit one, and again when the idle host in this process has run it: claim, run, end and all looks in between."""
    count = bench.amount(500, 200)
    with bench.database("postgresql") as url:
        application = Application.on(url)
        async with host_here(application, pool="inline"):
            meter = await Meter.on(url)
            before = await meter.read()
            for number in range(count):
                await application.began.submit(number)
                await gap()
            spent = (await meter.read()).since(before)
            await meter.close()
    return _figures("pickup", spent, count)


@measure(*_names("command"), *_names("command.bare"))
async def command(bench: Bench) -> list[Figure]:
    """A durable command, and the bare transaction with the same writes, many of one and then as many of the other."""
    count = bench.amount(2000, 200)
    async with bare_postgresql(bench) as bare, called(bench, "postgresql", POSTGRESQL[0]) as (url, call):
        meter = await Meter.on(url)
        figures = [
            *_figures("command", await _spent(meter, call, count), count),
            *_figures("command.bare", await _spent(meter, bare, count), count),
        ]
        await meter.close()
    return figures


async def _spent(meter: Meter, write: Write, count: int) -> Expense:
    before = await meter.read()
    for number in range(count):
        await write(number)
    return (await meter.read()).since(before)


async def _drain(bench: Bench, name: str, pool: Literal["inline", "process"]) -> list[Figure]:
    count = bench.amount(50_000, 20_000)
    with bench.database("postgresql") as url:
        application = Application.on(url)
        async with host_here(application, pool=pool, workers=2):
            meter = await Meter.on(url)
            last = (await application.nothing.submit_many([(number,) for number in range(count)]))[-1]
            before = await meter.read()
            await ended(application, last)
            await asyncio.sleep(0.1)
            spent = (await meter.read()).since(before)
            await meter.close()
    return _figures(name, spent, count)


def _figures(name: str, spent: Expense, count: int) -> list[Figure]:
    sums = (spent.here * 1e6, spent.children * 1e6, spent.server * 1e6, spent.wal, spent.writes)
    return [Figure(full, (total / count,), unit) for full, total, unit in zip(_names(name), sums, EACH, strict=True)]

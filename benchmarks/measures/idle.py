"""What a host costs while there is nothing to do: processor time, transactions and memory."""

import asyncio

import asyncpg
import psutil

from benchmarks.application import Application
from benchmarks.bench import Bench
from benchmarks.figures import RATE, Figure, measure
from benchmarks.hosts import host_apart

CORE = "% of a core"
MEGABYTE = 2**20
REST = 12  # seconds; an idle backend of PostgreSQL may keep what it has to report for 10
TRANSACTIONS = "select xact_commit + xact_rollback from pg_stat_database where datname = $1"


@measure("idle.postgresql.cpu", "idle.postgresql.transactions", "memory.host", "memory.worker", once=True)
async def postgresql(bench: Bench) -> list[Figure]:
    with bench.database("postgresql") as url:
        application = Application.on(url)
        observer = await asyncpg.connect(bench.server.dsn)  # to another database, so that it does not count itself
        async with host_apart(application, pool="process", workers=2) as host:
            await application.ops.client.close()  # the submitter's share is not the host's
            await asyncio.sleep(bench.amount(REST, 0))
            database = url.rsplit("/", 1)[1]
            before = await observer.fetchval(TRANSACTIONS, database)
            busy, seconds = await _busy(bench, host)
            transactions = await observer.fetchval(TRANSACTIONS, database) - before
            sizes = [_private(process) for process in (host, *host.children())]
        await observer.close()
    return [
        Figure("idle.postgresql.cpu", (100 * busy / seconds,), CORE, goal="≤ 0.3 %"),
        Figure("idle.postgresql.transactions", (transactions / seconds,), RATE, goal="≤ 1/s"),
        Figure("memory.host", (sizes[0],), "MB"),
        Figure("memory.worker", (max(sizes[1:]),), "MB"),
    ]


@measure("idle.sqlite.cpu", once=True)
async def sqlite(bench: Bench) -> list[Figure]:
    with bench.database("sqlite") as url:
        application = Application.on(url)
        async with host_apart(application, pool="process", workers=2) as host:
            await asyncio.sleep(bench.amount(REST, 0))
            busy, seconds = await _busy(bench, host)
    return [Figure("idle.sqlite.cpu", (100 * busy / seconds,), CORE)]


async def _busy(bench: Bench, host: psutil.Process) -> tuple[float, float]:
    """Processor seconds of the host and its workers during a window, and the seconds of the window."""
    seconds = float(bench.amount(15, 1))
    before = _processor_seconds(host)
    await asyncio.sleep(seconds)
    return _processor_seconds(host) - before, seconds


def _processor_seconds(host: psutil.Process) -> float:
    times = [process.cpu_times() for process in (host, *host.children())]
    return sum(time.user + time.system for time in times)


def _private(process: psutil.Process) -> float:
    """Memory that would be free again if this process ended."""
    return process.memory_full_info().uss / MEGABYTE

"""How the cost of having nothing to do is taken: how long, and from whom."""

import asyncio
from dataclasses import dataclass

import asyncpg
import psutil

from benchmarks.bench import Bench

CORE = "% of a core"
REST = 12  # seconds; an idle backend of PostgreSQL may keep what it has to report for 10
WINDOW = 15  # seconds
TRANSACTIONS = "select xact_commit + xact_rollback from pg_stat_database where datname = $1"


@dataclass(frozen=True, slots=True)
class Idleness:
    """Percent of a core that a process and its children took, and transactions a second."""

    percent: float
    transactions: float


async def idleness(bench: Bench, process: psutil.Process, url: str) -> Idleness:
    """Let it rest, then look on for a while. Transactions are 0 where the address is not of a PostgreSQL.

    Those of autovacuum, which comes once a minute for whatever was done before, are nobody's cost of having nothing to do.
    """
    with bench.without_autovacuum():
        return await _seen(bench, process, url)


async def _seen(bench: Bench, process: psutil.Process, url: str) -> Idleness:
    await asyncio.sleep(bench.amount(REST, 0))
    window = float(bench.amount(WINDOW, 1))
    before, busy = await _transactions(bench, url), _processor_seconds(process)
    await asyncio.sleep(window)
    busy = _processor_seconds(process) - busy
    return Idleness(100 * busy / window, (await _transactions(bench, url) - before) / window)


async def _transactions(bench: Bench, url: str) -> int:
    if not url.startswith("postgresql:"):
        return 0
    observer = await asyncpg.connect(bench.server.dsn)  # to another database, so that it does not count itself
    try:
        return int(await observer.fetchval(TRANSACTIONS, url.rsplit("/", 1)[1]))
    finally:
        await observer.close()


def _processor_seconds(process: psutil.Process) -> float:
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(time.user + time.system for time in times)

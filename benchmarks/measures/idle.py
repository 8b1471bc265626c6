"""What a host costs while there is nothing to do: processor time, transactions and memory."""

import psutil

from benchmarks.application import Application
from benchmarks.bench import Bench
from benchmarks.figures import RATE, Figure, measure
from benchmarks.goals import at_most
from benchmarks.hosts import host_apart
from benchmarks.idleness import CORE, idleness

MEGABYTE = 2**20


@measure("idle.postgresql.cpu", "idle.postgresql.transactions", "memory.host", "memory.worker", once=True)
async def postgresql(bench: Bench) -> list[Figure]:
    with bench.database("postgresql") as url:
        application = Application.on(url)
        async with host_apart(application, pool="process", workers=2) as host:
            await application.ops.client.close()  # the submitter's share is not the host's
            taken = await idleness(bench, host, url)
            sizes = [_private(process) for process in (host, *host.children())]
    return [
        Figure("idle.postgresql.cpu", (taken.percent,), CORE, goals=(at_most(0.3),)),
        Figure("idle.postgresql.transactions", (taken.transactions,), RATE, goals=(at_most(1),)),
        Figure("memory.host", (sizes[0],), "MB"),
        Figure("memory.worker", (max(sizes[1:]),), "MB"),
    ]


@measure("idle.sqlite.cpu", once=True)
async def sqlite(bench: Bench) -> list[Figure]:
    with bench.database("sqlite") as url:
        application = Application.on(url)
        async with host_apart(application, pool="process", workers=2) as host:
            return [Figure("idle.sqlite.cpu", ((await idleness(bench, host, url)).percent,), CORE)]


def _private(process: psutil.Process) -> float:
    """Memory that would be free again if this process ended."""
    return process.memory_full_info().uss / MEGABYTE

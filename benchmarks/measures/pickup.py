"""How soon an idle host begins what is submitted: from the call of ``submit``, and from its return, until the trigger runs."""

import os
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from benchmarks.application import Application
from benchmarks.bench import Bench, Engine
from benchmarks.figures import Figure, measure, waits
from benchmarks.gaps import gap
from benchmarks.goals import at_most
from benchmarks.hosts import host_apart, host_here
from benchmarks.peers.table import PEERS

Hosted = Callable[[Application], AbstractAsyncContextManager[Any]]

OTHERS = tuple(f"pickup.{peer.name}" for peer in PEERS)
GOALS = (at_most(1, "pickup.graphile"), at_most(0.5, *OTHERS, part="p99", best="the best peer"))
FLOORS = ["floor.machine.pauses", "floor.postgresql.pickup"]
BEAT = 2.0  # seconds, the default heartbeat


@measure("pickup.postgresql.here", "pickup.postgresql.here.returned", floors=FLOORS)
async def postgresql_here(bench: Bench) -> list[Figure]:
    """Submitter and host in one process."""
    return await _figures(bench, "postgresql", "here", lambda one: host_here(one, pool="inline"))


@measure("pickup.postgresql.apart", "pickup.postgresql.apart.returned", floors=FLOORS)
async def postgresql_apart(bench: Bench) -> list[Figure]:
    """The host in another process."""
    return await _figures(bench, "postgresql", "apart", lambda one: host_apart(one, pool="inline"))


@measure("pickup.postgresql.workers", "pickup.postgresql.workers.returned", floors=FLOORS)
async def postgresql_workers(bench: Bench) -> list[Figure]:
    """The host in another process, with worker processes."""
    return await _figures(bench, "postgresql", "workers", lambda one: host_apart(one, pool="process", workers=2))


@measure("pickup.postgresql.polling", once=True)
async def postgresql_polling(bench: Bench) -> list[Figure]:
    """No notifications, as behind PgBouncer: the heartbeat alone finds what was submitted, whenever that was."""
    with bench.database("postgresql") as url:
        os.environ["OPWRIGHT_URL"] = f"{url}?pooled=true"  # for the host alone
        application = Application.on(url)
        async with host_apart(application, pool="inline", heartbeat=BEAT):
            pairs = await _pairs(application, bench.amount(300, 15))
    return [waits("pickup.postgresql.polling", [called for called, _ in pairs])]


@measure("pickup.sqlite.here", "pickup.sqlite.here.returned", floors=["floor.sqlite.pickup"])
async def sqlite_here(bench: Bench) -> list[Figure]:
    """Submitter and host in one process."""
    return await _figures(bench, "sqlite", "here", lambda one: host_here(one, pool="inline"))


@measure("pickup.sqlite.apart", "pickup.sqlite.apart.returned", floors=["floor.sqlite.pickup"])
async def sqlite_apart(bench: Bench) -> list[Figure]:
    """The host in another process, which looks at the file every 20 ms."""
    return await _figures(bench, "sqlite", "apart", lambda one: host_apart(one, pool="inline"))


async def _figures(bench: Bench, engine: Engine, where: str, hosted: Hosted) -> list[Figure]:
    with bench.database(engine) as url:
        application = Application.on(url)
        async with hosted(application):
            pairs = await _pairs(application, bench.amount(200, 20))
    called, returned = zip(*pairs, strict=True)
    name, floor = f"pickup.{engine}.{where}", f"floor.{engine}.pickup"
    goals = GOALS if engine == "postgresql" else ()
    return [waits(name, called, floor=floor, goals=goals), waits(f"{name}.returned", returned)]


async def _pairs(application: Application, samples: int) -> list[tuple[float, float]]:
    """Seconds from call and from return. The begins are asked for afterwards: nobody polls while an operation is on its way."""
    moments = []
    for number in range(samples):
        await gap()
        called = time.monotonic_ns()
        handle = await application.began.submit(number)
        moments.append((called, time.monotonic_ns(), handle))
    pairs = []
    for called, returned, handle in moments:
        began = await handle.result()
        pairs.append(((began - called) / 1e9, (began - returned) / 1e9))
    return pairs

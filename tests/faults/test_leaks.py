"""What is left behind by starting and stopping, again and again: nothing."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from opwright import Opwright
from tests.kit.application import Application, double
from tests.kit.processes import descendants
from tests.kit.tables import Tables
from tests.kit.waiting import eventually

CHEAP, DEAR = 1_000, 24  # cycles: with the pool in this process, with worker processes
WARM = 3  # cycles after which what is made once is there

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def held() -> dict[str, Any]:
    """What this process has: threads by name, files by what they are, children, tasks.

    Without the threads of the event loop itself: it adds another one, up to a few, whenever it finds all of them busy.
    """
    own = psutil.Process()
    names = [thread.name.rstrip("0123456789-_") for thread in threading.enumerate()]
    return {
        "threads": Counter(name for name in names if name != "asyncio"),
        "files": Counter(kind_of(fd) for fd in Path("/proc/self/fd").iterdir()),
        "children": len(descendants(own.pid)),
        "tasks": len(asyncio.all_tasks()),
    }


def kind_of(descriptor: Path) -> str:
    """What a descriptor leads to, without the number that tells it from others of its kind."""
    try:
        return str(descriptor.readlink()).partition("[")[0]
    except FileNotFoundError:
        return "the directory that is being listed"


async def nothing_is_left(cycle: Callable[[], Awaitable[None]], count: int) -> None:
    """After so many cycles this process has what it had after the first few."""
    for _ in range(WARM):
        await cycle()
    before = held()
    for _ in range(count - WARM):
        await cycle()
    await eventually(lambda: held() == before, 20, f"everything is as before: {before}")


@on_sqlite
@pytest.mark.fault("F74")
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_thousand_hosts_in_one_process_leave_nothing_behind(database_url: str, tables: Tables) -> None:
    """No thread, no descriptor, no task, no waker, and no row but those of the hosts that stopped."""
    ops = Opwright(database_url)
    trigger = ops.operation(double)

    async def cycle() -> None:
        async with ops, ops.host(pool="inline", slots=2, heartbeat=30):
            assert await (await trigger.submit(3)).result(20) == 6

    await nothing_is_left(cycle, CHEAP)
    assert ops.client._stores == {}
    assert ops.client._wakers == []
    assert await tables.counts() == {"operations": CHEAP, "outcomes": CHEAP, "hosts": CHEAP}


@on_postgresql
@pytest.mark.fault("F74")
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_hosts_with_worker_processes_leave_nothing_behind(application: Application, tables: Tables) -> None:
    """Nor does the server keep a connection or a lock. Some stop before their workers are ready, some amid operations."""
    count = 0

    async def cycle() -> None:
        nonlocal count
        count += 1
        async with application.ops:
            host = application.ops.host(workers=2)
            await host.start()
            interrupted = [await application.doze.submit(60) for _ in range(2)]
            if count % 3:  # else while the workers are still being heated
                await eventually(lambda: len(host.active()) == 2, 20, "both workers are at it")
            await host.stop(grace=0)
            assert [await one.cancel() for one in interrupted] == [True, True]

    watching = await asyncpg.connect(tables.url)
    await nothing_is_left(cycle, DEAR)
    await eventually(lambda: nobody_is_connected(watching), 20, "no connection is left")
    assert await watching.fetchval("select count(*) from pg_locks where locktype = 'advisory'") == 0
    await watching.close()
    assert await tables.count("claimed") == 0
    assert await tables.column("select distinct state from opwright.hosts") == [3]


async def nobody_is_connected(watching: "asyncpg.Connection[asyncpg.Record]") -> bool:
    """Whether the server has no connection to this database but the one that asks."""
    others = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    number: int = await watching.fetchval(f"{others} and backend_type = 'client backend'")
    return number == 0

"""How soon a commit is told: from ``changed()`` in one process until the watcher of another one wakes its reader."""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.bench import Bench
from benchmarks.figures import Figure, measure, waits
from benchmarks.gaps import gap
from benchmarks.goals import at_most
from benchmarks.listener import watcher_of
from benchmarks.peers.redis_server import redis_server

STARTED = 0.3  # seconds until the connections of the sender are there


@measure("watcher.postgresql", floors=["floor.postgresql.notify"])
async def postgresql(bench: Bench) -> list[Figure]:
    """NOTIFY."""
    with bench.database("postgresql") as url:
        seconds = await _told(url, bench.amount(200, 20))
    return [waits("watcher.postgresql", seconds, floor="floor.postgresql.notify", goals=(at_most(10),))]


@measure("watcher.redis", floors=["floor.redis.publish"])
async def redis(bench: Bench) -> list[Figure]:
    """PUBLISH."""
    async with redis_server() as url:
        seconds = await _told(url, bench.amount(200, 20))
    return [waits("watcher.redis", seconds, floor="floor.redis.publish", goals=(at_most(1),))]


@measure("watcher.file")
async def file(bench: Bench) -> list[Figure]:
    """A touch."""
    with tempfile.TemporaryDirectory(prefix="opwright-bench-", dir=bench.folder) as folder:
        seconds = await _told(f"file:{folder}", bench.amount(200, 20))
    return [waits("watcher.file", seconds, goals=(at_most(100),))]


@measure("watcher.file.mount")
async def mount(bench: Bench) -> list[Figure]:
    """A touch that rings no bell, as on a network mount."""
    with tempfile.TemporaryDirectory(prefix="opwright-bench-", dir=bench.folder) as folder:
        seconds = await _told(f"file:{folder}", bench.amount(200, 20), "deaf")
    return [waits("watcher.file.mount", seconds, goals=(at_most(100),))]


async def _told(where: str, samples: int, *how: str) -> list[float]:
    """The listener writes the moment of each wake; both clocks are the machine's."""
    async with watcher_of(where) as watcher, _listening(where, *how) as listener:
        await watcher.start(lambda: None)
        await listener.readline()  # the wake that a connection begins with
        await asyncio.sleep(STARTED)
        seconds = []
        for _ in range(samples):
            await gap()
            called = time.monotonic_ns()
            await watcher.changed()
            seconds.append((int(await listener.readline()) - called) / 1e9)
        await watcher.stop()
    return seconds


@asynccontextmanager
async def _listening(where: str, *how: str) -> AsyncIterator[asyncio.StreamReader]:
    """What a process that listens says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.listener", where, *how, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        yield process.stdout
    finally:
        await process.communicate(b"")

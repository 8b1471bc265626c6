"""Floor of waking up through Redis: a message of the bare protocol, from one connection to another."""

import asyncio
import time

from benchmarks.bench import Bench
from benchmarks.figures import Figure, measure, waits
from benchmarks.gaps import gap
from benchmarks.peers.redis_server import redis_server

MESSAGE = b"*3\r\n$7\r\nPUBLISH\r\n$5\r\nbench\r\n$2\r\n42\r\n"


@measure("floor.redis.publish")
async def publish(bench: Bench) -> list[Figure]:
    """From the call of PUBLISH until another connection has read the message."""
    async with redis_server() as url:
        port = int(url.rpartition(":")[2].partition("/")[0])
        (_, sender), (heard, listener) = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        listener.write(b"*2\r\n$9\r\nSUBSCRIBE\r\n$5\r\nbench\r\n")
        await heard.readuntil(b":1\r\n")
        seconds = [await _round(sender, heard) for _ in range(bench.amount(200, 20))]
        for one in (sender, listener):
            one.close()
            await one.wait_closed()
    return [waits("floor.redis.publish", seconds)]


async def _round(sender: asyncio.StreamWriter, heard: asyncio.StreamReader) -> float:
    await gap()
    called = time.perf_counter()
    sender.write(MESSAGE)
    await heard.readuntil(b"\r\n42\r\n")
    return time.perf_counter() - called

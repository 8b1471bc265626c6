"""Where a peer keeps its jobs during one measure, and how many of them have not ended."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing

import asyncpg

from benchmarks.bench import Bench
from benchmarks.peers.peer import Peer
from benchmarks.peers.redis_server import redis_server, unended_in_redis

Left = Callable[[], Awaitable[bool]]


@asynccontextmanager
async def fresh(bench: Bench, peer: Peer) -> AsyncIterator[str]:
    """The address of an empty store on the server that Opwright is measured on, where it is PostgreSQL."""
    if peer.store == "redis":
        async with redis_server() as url:
            yield url
    else:
        with bench.database(peer.store) as url:
            yield url


async def analyzed(peer: Peer, url: str) -> None:
    """Statistics of what has been filled in, as tables in use have them: without, Graphile Worker drains half as fast."""
    if peer.store == "postgresql":
        connection = await asyncpg.connect(url)
        await connection.execute("vacuum (analyze)")
        await connection.close()


def watched(peer: Peer, url: str) -> AbstractAsyncContextManager[Left]:
    """Asks the store whether every job has ended."""
    return {"postgresql": _postgresql, "sqlite": _sqlite, "redis": unended_in_redis}[peer.store](url, peer.unended)


@asynccontextmanager
async def _postgresql(url: str, statement: str) -> AsyncIterator[Left]:
    connection = await asyncpg.connect(url)

    async def none_left() -> bool:
        return not await connection.fetchval(statement)

    try:
        yield none_left
    finally:
        await connection.close()


@asynccontextmanager
async def _sqlite(url: str, statement: str) -> AsyncIterator[Left]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:

        async def none_left() -> bool:
            return not connection.execute(statement).fetchone()[0]

        yield none_left

"""Each kind of log watcher with its real server, as one contract suite sees them."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import redis.asyncio

from opwright import DbLogWatcher, FileSystemDbLogWatcher, NoDbLogWatcher, PostgreSqlDbLogWatcher, RedisDbLogWatcher
from opwright.clock import SystemClock
from opwright.store.postgresql import PostgresEngine
from tests.redis_server import RedisServer
from tests.servers import PostgresServer

PATIENCE = 15.0


async def reached(check: Callable[[], bool], what: str) -> None:
    """Wait for something that is to happen."""
    deadline = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < deadline, f"it never came: {what}"
        await asyncio.sleep(0.002)


class Place(Protocol):
    """Where watchers of one kind meet."""

    async def watcher(self, origin: int) -> DbLogWatcher:
        """One of another process, not started."""

    async def cut(self) -> None:
        """End what the watchers listen to; nothing else happens."""

    async def go_away(self) -> None:
        """Nobody can be told anything."""

    async def come_back(self) -> None:
        """They can again."""

    async def close(self) -> None:
        """Let go of everything."""


class PostgresPlace:
    """A database; each process has an engine of its own."""

    def __init__(self, url: str, server: PostgresServer) -> None:
        self.url = url
        self._server = server
        self._engines: list[PostgresEngine] = []
        self._watchers: list[PostgreSqlDbLogWatcher] = []

    async def watcher(self, origin: int) -> DbLogWatcher:
        engine = PostgresEngine(self.url, SystemClock())
        await engine.open()
        self._engines.append(engine)
        self._watchers.append(PostgreSqlDbLogWatcher(lambda: origin, engine))
        return self._watchers[-1]

    async def cut(self) -> None:
        raw = await asyncpg.connect(self.url)
        for watcher in self._watchers:
            ear: Any = watcher._ear
            await raw.execute("select pg_terminate_backend($1)", ear._connection.get_server_pid())
        await raw.close()

    async def go_away(self) -> None:
        await asyncio.to_thread(self._server.stop, "immediate")

    async def come_back(self) -> None:
        await asyncio.to_thread(self._server.start)

    async def close(self) -> None:
        for engine in self._engines:
            await engine.close()


class RedisPlace:
    """A server."""

    def __init__(self, server: RedisServer) -> None:
        self.url = server.url
        self._server = server

    async def watcher(self, origin: int) -> DbLogWatcher:
        return RedisDbLogWatcher(lambda: origin, self.url)

    async def cut(self) -> None:
        client = redis.asyncio.Redis.from_url(self.url)
        await client.client_kill_filter(_type="pubsub")
        await client.aclose()

    async def go_away(self) -> None:
        await asyncio.to_thread(self._server.stop)

    async def come_back(self) -> None:
        await asyncio.to_thread(self._server.start)

    @asynccontextmanager
    async def bare(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """What passes a message without any watcher, by the same library: the measure of this machine."""
        async with redis.asyncio.Redis.from_url(self.url) as client, client.pubsub() as subscription:
            await subscription.subscribe("bare")
            await subscription.get_message(timeout=PATIENCE)

            async def passed() -> None:
                await client.publish("bare", "1")
                assert await subscription.get_message(timeout=PATIENCE)

            yield passed

    async def close(self) -> None:
        """The server is the session's."""


class FolderPlace:
    """A folder."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self.folder = parent / "watch"

    async def watcher(self, origin: int) -> DbLogWatcher:
        return FileSystemDbLogWatcher(lambda: origin, self.folder)

    async def cut(self) -> None:
        shutil.rmtree(self.folder)

    async def go_away(self) -> None:
        self._parent.rename(self._away)

    async def come_back(self) -> None:
        self._away.rename(self._parent)

    async def close(self) -> None:
        """Nothing is open."""

    @property
    def _away(self) -> Path:
        return self._parent.with_name("away")


class Nowhere:
    """Polling only."""

    async def watcher(self, origin: int) -> DbLogWatcher:
        return NoDbLogWatcher(lambda: origin)

    async def cut(self) -> None:
        """There is nothing."""

    async def go_away(self) -> None:
        """The same."""

    async def come_back(self) -> None:
        """The same."""

    async def close(self) -> None:
        """The same."""


class Process:
    """What stands for a process: a watcher with an origin of its own, and how often it was woken."""

    def __init__(self, watcher: DbLogWatcher) -> None:
        self.watcher = watcher
        self.wakes = 0
        self.woken = asyncio.Event()

    def wake(self) -> None:
        """What its reader would do, counted."""
        self.wakes += 1
        self.woken.set()

    async def start(self) -> None:
        """Begin, and wait until the way is there."""
        before = self.wakes
        await self.watcher.start(self.wake)
        await reached(lambda: self.wakes > before, "the first connection")

    async def commits(self) -> None:
        """It has written to the log."""
        await self.watcher.changed()

    async def hears(self, other: "Process") -> None:
        """Another one commits, and this one is woken."""
        self.woken.clear()
        await other.commits()
        async with asyncio.timeout(PATIENCE):
            await self.woken.wait()


class Fleet:
    """Processes that meet at one place."""

    def __init__(self, place: Any) -> None:
        self.place: Place = place
        self.processes: list[Process] = []

    async def process(self) -> Process:
        """One more, not started."""
        self.processes.append(Process(await self.place.watcher(1000 + len(self.processes))))
        return self.processes[-1]

    async def started(self, count: int) -> list[Process]:
        """So many that listen."""
        made = [await self.process() for _ in range(count)]
        for one in made:
            await one.start()
        return made

    async def close(self) -> None:
        """Stop all of them."""
        for one in self.processes:
            await one.watcher.stop()
        await self.place.close()


def open_files() -> set[tuple[str, str]]:
    """What this process has open, sockets included."""
    return {(link.name, where) for link in Path("/proc/self/fd").iterdir() if (where := _where(link))}


def _where(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # the listing's own
        return ""

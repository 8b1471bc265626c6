"""The PostgreSQL watcher hears NOTIFY, and knows when it has gone deaf."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote

import asyncpg
import pytest
import pytest_asyncio

from opwright import Opwright
from opwright.clock import SystemClock
from opwright.errors import StoreUnavailable
from opwright.store.postgresql import PostgresEngine
from opwright.telemetry import recorded
from opwright.watch import postgresql as watch_module
from opwright.watch.postgresql import PostgresWatcher
from opwright.watch.watcher import watcher_for
from tests.kit.proxy import Proxy

CHANNEL = "opwright_opwright"
PATIENCE = 10.0


class Watched:
    """A watcher on a database, and how often it reported a change."""

    def __init__(self, engine: PostgresEngine) -> None:
        self.engine = engine
        self.changes = 0
        self.watcher = PostgresWatcher(engine, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    async def reached(self, check: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not check():
            assert time.monotonic() < deadline, f"it never came: {what}"
            await asyncio.sleep(0.005)

    async def speak(self) -> None:
        """Another program notifies."""
        raw = await asyncpg.connect(self.engine.url)
        await raw.execute(f"notify {CHANNEL}")
        await raw.close()

    def backend(self) -> int:
        """The server process of the LISTEN connection."""
        return int(self.watcher._connection.get_server_pid())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes that follow each other quickly."""
    monkeypatch.setattr(watch_module, "PROBE_PERIOD", 0.05)
    monkeypatch.setattr(watch_module, "ECHO_SECONDS", 0.3)


@pytest_asyncio.fixture
async def watched(postgres_database: str) -> AsyncIterator[Watched]:
    """A watcher that is not started yet."""
    made = Watched(PostgresEngine(postgres_database, SystemClock()))
    yield made
    await made.watcher.stop()


@pytest_asyncio.fixture
async def proxy(postgres_database: str) -> AsyncIterator[Proxy]:
    """A proxy before the database."""
    made = Proxy(postgres_database)
    yield made
    await made.close()


async def test_connecting_is_a_change(watched: Watched) -> None:
    """What was sent before is lost, so there may be something to look at; the probe proves that notifications arrive."""
    assert await watched.watcher.run_once() == watch_module.PROBE_PERIOD
    assert watched.changes == 1
    await watched.watcher.run_once()
    assert watched.changes == 1  # its own echo is no change


async def test_a_notification_is_a_change(watched: Watched) -> None:
    """Another connection notifies: reported at once, long before the next probe."""
    await watched.watcher.run_once()
    await watched.speak()
    await watched.reached(lambda: watched.changes == 2, "the notification")


async def test_other_channels_are_not_its_business(watched: Watched, postgres_database: str) -> None:
    """Another application of the same database wakes nobody here."""
    await watched.watcher.run_once()
    raw = await asyncpg.connect(postgres_database)
    await raw.execute("notify opwright_other")
    await raw.close()
    await watched.speak()
    await watched.reached(lambda: watched.changes >= 2, "the notification")
    assert watched.changes == 2


async def test_a_killed_backend_is_replaced_at_once_and_reported_as_a_change(watched: Watched, postgres_database: str) -> None:
    """``pg_terminate_backend``: it listens again without waiting for the next probe, and looks for what it missed."""
    await watched.watcher.start()
    await watched.reached(lambda: watched.changes == 1, "the first connection")
    first = watched.backend()
    raw = await asyncpg.connect(postgres_database)
    await raw.execute("select pg_terminate_backend($1)", first)
    await raw.close()
    await watched.reached(lambda: watched.changes == 2, "the new connection")
    assert watched.backend() != first
    await watched.speak()
    await watched.reached(lambda: watched.changes == 3, "the notification")


@pytest.mark.usefixtures("quick")
async def test_a_half_open_connection_is_noticed(postgres_database: str, proxy: Proxy) -> None:
    """Nothing is closed and nothing arrives: the missing echo gives it away, and a new connection takes over."""
    address = await proxy.open()
    watched = Watched(PostgresEngine(f"{postgres_database}?listen_url={quote(address, safe='')}", SystemClock()))
    try:
        with recorded() as events:
            await watched.watcher.start()
            await watched.reached(lambda: watched.changes == 1, "the first connection")
            proxy.freeze()
            await watched.reached(lambda: "watcher.deaf" in [name for name, _ in events], "it notices")
            await watched.reached(lambda: watched.changes >= 2, "the new connection")
        assert proxy.connections >= 2
        before = watched.changes
        await watched.speak()
        await watched.reached(lambda: watched.changes > before, "the notification")
    finally:
        await watched.watcher.stop()


async def test_a_deaf_connection_is_an_error_of_its_step(
    postgres_database: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step raises StoreUnavailable within the probe's time, and keeps no connection that it cannot trust."""
    address = await proxy.open()
    watched = Watched(PostgresEngine(f"{postgres_database}?listen_url={quote(address, safe='')}", SystemClock()))
    await watched.watcher.run_once()
    proxy.freeze()
    with monkeypatch.context() as soon:
        soon.setattr(watch_module, "ECHO_SECONDS", 0.3)
        with pytest.raises(StoreUnavailable, match="deaf"):
            await asyncio.wait_for(watched.watcher.run_once(), PATIENCE)
    assert watched.watcher._connection is None
    await watched.watcher.run_once()
    await watched.watcher.stop()


async def test_a_server_that_is_away_is_tried_again(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step raises StoreUnavailable, which the service answers with growing pauses."""
    monkeypatch.setattr(watched.engine, "listen_url", "postgresql://postgres@127.0.0.1:1/nothing")
    with pytest.raises(StoreUnavailable):
        await watched.watcher.run_once()
    assert watched.changes == 0


async def test_stopping_closes_its_connection(watched: Watched, postgres_database: str) -> None:
    """Twice is harmless; no backend is left behind; it may be started again."""
    await watched.watcher.start()
    await watched.reached(lambda: watched.changes == 1, "the first connection")
    pid = watched.backend()
    await watched.watcher.stop()
    await watched.watcher.stop()
    raw = await asyncpg.connect(postgres_database)

    async def gone() -> bool:
        return not await raw.fetchval("select count(*) from pg_stat_activity where pid = $1", pid)

    deadline = time.monotonic() + PATIENCE
    while not await gone():
        assert time.monotonic() < deadline
    await raw.close()
    await watched.watcher.start()
    await watched.reached(lambda: watched.changes == 2, "the second connection")


async def test_stopping_while_it_connects_leaves_no_connection(
    watched: Watched, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that is stopped right after its start: the connection that was being set up is closed, not forgotten."""
    opened: list[asyncpg.Connection] = []

    async def blocks(self: asyncpg.Connection, *_: object) -> None:
        opened.append(self)
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncpg.Connection, "add_listener", blocks)
    await watched.watcher.start()
    await watched.reached(lambda: bool(opened), "it is connected, and not yet listening")
    await watched.watcher.stop()
    (connection,) = opened
    try:
        assert connection.is_closed()
    finally:
        connection.terminate()


async def test_a_host_behind_a_pooler_has_no_watcher_unless_told_where_to_listen(postgres_database: str) -> None:
    """LISTEN does not survive transaction pooling: polling alone, or an address of its own."""
    assert watcher_for(PostgresEngine(f"{postgres_database}?pooled=true", SystemClock()), lambda: None) is None
    direct = f"{postgres_database}?pooled=true&listen_url={quote(postgres_database, safe='')}"
    assert isinstance(watcher_for(PostgresEngine(direct, SystemClock()), lambda: None), PostgresWatcher)


async def test_a_host_hears_of_a_submit_by_another_program(postgres_database: str) -> None:
    """Begun long before the heartbeat."""
    ops, other = Opwright(postgres_database), Opwright(postgres_database)
    for each in (ops, other):
        each.operation(_double)
    async with ops, other, ops.host(pool="inline", heartbeat=3600.0):
        for number in range(3):
            handle = await other.submit("_double", number=number)
            assert await handle.result(timeout=10) == 2 * number


def _double(number: int) -> int:
    return 2 * number

"""The log watcher of PostgreSQL: one channel, a connection that is proved, nothing besides the database."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import quote

import asyncpg
import pytest
import pytest_asyncio

from opwright import Opwright, PostgreSqlDbLogWatcher
from opwright.clock import SystemClock
from opwright.store.postgresql import PostgresEngine
from opwright.telemetry import recorded
from opwright.watch import postgresql as watch_module
from tests.kit.proxy import Proxy
from tests.servers import PostgresServer
from tests.watch.log_kit import Fleet, PostgresPlace, Process, reached

CHANNEL = "opwright_opwright_log"


@pytest_asyncio.fixture
async def fleet(postgres_database: str, postgres_server: PostgresServer) -> AsyncIterator[Fleet]:
    """Processes on one database."""
    made = Fleet(PostgresPlace(postgres_database, postgres_server))
    yield made
    await made.close()


@pytest_asyncio.fixture
async def raw(postgres_database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that knows nothing of watchers."""
    connection = await asyncpg.connect(postgres_database)
    yield connection
    await connection.close()


async def listening(url: str, origin: int) -> tuple[PostgresEngine, Process]:
    """A process on a database, connected."""
    engine = PostgresEngine(url, SystemClock())
    await engine.open()
    return engine, Process(PostgreSqlDbLogWatcher(lambda: origin, engine))


async def test_it_notifies_on_the_channel_of_the_schema_with_its_origin(fleet: Fleet, raw: asyncpg.Connection) -> None:
    """Whoever listens there, in any language, hears which process has committed."""
    heard: list[object] = []
    await raw.add_listener(CHANNEL, lambda _connection, _pid, _channel, payload: heard.append(payload))
    (first,) = await fleet.started(1)
    await first.commits()
    await reached(lambda: heard == ["1000"], "the notification")


async def test_it_wakes_on_a_notification_of_any_program(fleet: Fleet, raw: asyncpg.Connection) -> None:
    """A NOTIFY that bears no id, or the id of another, wakes; its own does not."""
    (first,) = await fleet.started(1)
    for payload in ("1000", "", "1001"):
        await raw.execute("select pg_notify($1, $2)", CHANNEL, payload)
    await reached(lambda: first.wakes == 3, "both that are not its own")
    assert first.wakes == 3


async def test_submits_do_not_wake_the_readers_of_the_log(fleet: Fleet, raw: asyncpg.Connection) -> None:
    """The queue has a channel of its own."""
    (first,) = await fleet.started(1)
    await raw.execute("notify opwright_opwright")
    await raw.execute("select pg_notify($1, '')", CHANNEL)
    await reached(lambda: first.wakes == 2, "the log's")
    assert first.wakes == 2


async def test_a_half_open_connection_is_noticed(postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is closed and nothing arrives: the missing echo gives it away, and the reader is woken when it hears again."""
    monkeypatch.setattr(watch_module, "PROBE_PERIOD", 0.05)
    monkeypatch.setattr(watch_module, "ECHO_SECONDS", 0.3)
    proxy = Proxy(postgres_database)
    engine, here = await listening(f"{postgres_database}?listen_url={quote(await proxy.open(), safe='')}", 1)
    other_engine, there = await listening(postgres_database, 2)
    try:
        await here.start()
        await there.start()
        with recorded() as events:
            proxy.freeze()
            await reached(lambda: "watcher.deaf" in [name for name, _ in events], "it notices")
        await reached(lambda: here.wakes >= 2, "the new connection")
        await here.hears(there)
    finally:
        for one in (here, there):
            await one.watcher.stop()
        await engine.close()
        await other_engine.close()
        await proxy.close()


async def test_a_restarted_server_is_heard_again(fleet: Fleet, postgres_server: PostgresServer) -> None:
    """After a crash too: a wake, because nobody knows what was committed meanwhile."""
    first, second = await fleet.started(2)
    before = [one.wakes for one in (first, second)]
    await asyncio.to_thread(postgres_server.restart, "immediate")
    await reached(lambda: first.wakes > before[0] and second.wakes > before[1], "the wakes after the restart")
    await second.hears(first)


async def test_behind_a_pooler_it_tells_the_others_and_polls_itself(fleet: Fleet, postgres_database: str) -> None:
    """LISTEN does not survive transaction pooling, NOTIFY does."""
    (first,) = await fleet.started(1)
    engine, pooled = await listening(f"{postgres_database}?pooled=true", 2)
    await pooled.watcher.start(pooled.wake)
    await first.hears(pooled)
    await pooled.watcher.stop()
    await engine.close()
    assert pooled.wakes == 0


async def test_on_postgresql_it_is_there_without_being_asked_for(postgres_database: str) -> None:
    """No setting, no other server."""
    ops = Opwright(postgres_database)
    async with ops:
        watcher = ops.commander.log_watcher((await ops.client.store()).engine)
    assert isinstance(watcher, PostgreSqlDbLogWatcher)
    assert watcher.origin() == ops.commander.origin

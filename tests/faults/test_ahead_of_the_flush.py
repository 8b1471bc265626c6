"""A submit after a pause is seen before it is on disk, and told to its caller when it is there."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from opwright import Handle
from opwright.app.host import Host
from opwright.store.postgresql import PostgresEngine
from opwright.telemetry import recorded
from tests.faults.kit import check_nothing_is_lost
from tests.kit.application import Application
from tests.kit.tables import Tables
from tests.kit.waiting import eventually
from tests.kit.wire import Wire
from tests.servers import own_postgres

FLUSH = b"pg_logical_emit_message"
both_ways = pytest.mark.parametrize("reaches", [True, False], ids=["flushed", "never arrived"])
pytestmark = pytest.mark.fault("F6")


@pytest.fixture
def database_url(postgres_database: str) -> str:
    """On SQLite a commit is on disk before anybody sees it."""
    return postgres_database


@pytest.fixture
async def application(wire: Wire, database_url: str) -> AsyncIterator[Application]:
    application = Application(wire.url(database_url))
    async with application.ops:
        yield application


async def double(application: Application) -> Handle[int]:
    return await application.double.submit(21)


@pytest.mark.parametrize("way", ["woken", "claimed with the submit"])
async def test_a_host_of_this_process_begins_while_the_disk_is_busy(
    application: Application, wire: Wire, tables: Tables, way: str
) -> None:
    """Its end is on disk before the submit returns, for an end takes everything before it along."""
    async with application.ops.host(pool="inline") as host:
        if way != "woken":
            await warmed(application, host, wire)
            await tables.rows("delete from opwright.outcomes")
        go = wire.hold(FLUSH)
        submitting = asyncio.create_task(double(application))
        await wire.came.wait()
        async with asyncio.timeout(10):
            while not await tables.column("select operation from opwright.outcomes"):
                pass
        assert not submitting.done()
        go.set()
        assert await (await submitting).result(10) == 42


@both_ways
async def test_a_submit_that_claims_and_whose_answer_is_lost_is_done_once(
    application: Application, wire: Wire, tables: Tables, *, reaches: bool
) -> None:
    """Nobody knows of the claim: it goes back uncharged, and the submit finds that it has landed."""
    async with application.ops.host(pool="inline") as host:
        await warmed(application, host, wire)
        wire.lose_answer(b"double", b":21}", reaches=reaches)
        with recorded() as events:
            handle = await double(application)
            assert await handle.result(10) == 42
    assert wire.lost.is_set()
    assert [fields["operations"] for name, fields in events if name == "claim.reconciled"] == ([[handle.id]] if reaches else [])
    assert await tables.rows("select attempt from opwright.outcomes") == [(1,)] * 3  # those before it, too
    await check_nothing_is_lost(tables)


async def warmed(application: Application, host: Host, wire: Wire) -> None:
    """The host has met the queue, and knows that nothing is left there. Nothing was flushed, and no notification rests.

    That its listener is connected is news to it, after which it looks once more.
    """
    handles = await application.double.submit_many([(21,), (21,)])
    assert [await handle.result(10) for handle in handles] == [42, 42]
    engine = (await application.ops.client.store()).engine
    assert isinstance(engine, PostgresEngine)
    scheduler = host._scheduler
    await eventually(lambda: any(b"opwright_echo_" in line.heard for line in wire.lines), what="it listens")
    await eventually(lambda: scheduler._prospects.dry("default") and not scheduler._news, what="it knows of nothing")
    await eventually(engine._notifier._quiet)


async def test_nobody_is_told_of_what_a_host_here_has_begun(application: Application, wire: Wire, tables: Tables) -> None:
    """There is nothing to look for."""
    heard: list[object] = []
    listener = await asyncpg.connect(tables.url)
    try:
        async with application.ops.host(pool="inline") as host:
            await warmed(application, host, wire)
            await listener.add_listener("opwright_opwright", lambda *told: heard.append(told[-1]))
            assert await (await double(application)).result(10) == 42
        await application.ops.client.close()  # which sends what is due
        await listener.execute("select pg_notify('opwright_opwright', 'the last')")
        assert heard == ["the last"]
    finally:
        await listener.close()


async def test_hosts_elsewhere_hear_of_it_while_the_disk_is_busy(application: Application, wire: Wire, tables: Tables) -> None:
    """And find it when they look."""
    heard = asyncio.Event()
    listener = await asyncpg.connect(tables.url)
    try:
        await listener.add_listener("opwright_opwright", lambda *_: heard.set())
        go = wire.hold(FLUSH)
        submitting = asyncio.create_task(double(application))
        await asyncio.wait_for(heard.wait(), 10)
        ready = await tables.column("select operation from opwright.ready")
        assert not submitting.done()
        go.set()
        assert [(await submitting).id] == ready
    finally:
        await listener.close()


@both_ways
async def test_a_flush_whose_answer_is_lost_is_made_up_for(
    application: Application, wire: Wire, tables: Tables, *, reaches: bool
) -> None:
    """The submit is sent again under its id, found, and flushed with that."""
    wire.lose_answer(FLUSH, reaches=reaches)
    handle = await double(application)
    assert wire.lost.is_set()
    assert await tables.column("select id from opwright.operations") == [handle.id]
    assert await tables.column("select operation from opwright.ready") == [handle.id]


async def test_what_comes_soon_after_it_waits_for_its_own_flush(application: Application, wire: Wire) -> None:
    """One commit is cheaper than two, and the host is awake anyhow."""
    go = wire.hold(FLUSH)
    first = asyncio.create_task(double(application))
    await wire.came.wait()
    second = await double(application)
    assert not first.done()
    go.set()
    assert (await first).id < second.id


async def test_a_crash_takes_nothing_back_that_was_told() -> None:
    """On a server that writes nothing to disk by itself: what is there after the crash was flushed by the submit."""
    with own_postgres() as server, server.database() as url:
        server.execute("alter system set wal_writer_delay = '10s'")
        server.restart()
        application = Application(url)
        async with application.ops:
            handle = await double(application)
            await asyncio.to_thread(server.restart, "immediate")
        assert await Tables(url).column("select id from opwright.operations") == [handle.id]

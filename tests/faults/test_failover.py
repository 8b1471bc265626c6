"""The server becomes a standby, or another one takes its place, with or without the last that was committed."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from opwright.clock import SystemClock
from opwright.errors import StoreUnavailable
from opwright.store import own
from opwright.store.postgresql import PostgresEngine
from tests.kit.application import Application
from tests.kit.diary import Diary
from tests.kit.processes import HostProcess
from tests.kit.tables import ALIVE, Tables
from tests.kit.waiting import eventually
from tests.servers import OwnServer, PostgresServer, own_postgres, running_standby

MANY = 50


@pytest.fixture
def database_url(postgres_database: str) -> str:
    return postgres_database


@pytest.fixture
def pair() -> Iterator[tuple[OwnServer, OwnServer]]:
    """A primary and a standby that follows it."""
    with own_postgres() as primary, running_standby(primary) as standby:
        yield primary, standby


def both(*servers: PostgresServer) -> str:
    """One address that names several servers."""
    return f"postgresql://postgres@{','.join(urlsplit(server.dsn).netloc.rpartition('@')[2] for server in servers)}/postgres"


@contextmanager
def running(url: str, folder: Path) -> Iterator[HostProcess]:
    with HostProcess(url, folder, workers=1, lease=4, renew=0.5, heartbeat=0.5) as host:
        yield host


@pytest.mark.fault("F30")
async def test_a_host_goes_over_to_the_server_that_was_promoted(
    pair: tuple[OwnServer, OwnServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both stand in the address, the standby first: whoever takes writes is used, and found anew."""
    primary, standby = pair
    url = both(standby, primary)
    monkeypatch.setenv("OPWRIGHT_TEST_FOLDER", str(tmp_path))
    application, diary = Application(url), Diary(tmp_path)
    with running(url, tmp_path) as host:
        await host.ready()
        async with application.ops:
            through = await application.hold.submit("through")
            await diary.wait("start", "through")
            await eventually(_followed(standby, "select count(*) = 1 from opwright.claimed"), 10, "the standby has followed")
            primary.stop("immediate")
            await host.event("outage.began")
            standby.promote()
            await host.event("outage.ended", seconds=30)
            diary.release("through")
            assert await through.result(20) in host.children()
            again = await application.double.submit_many([(number,) for number in range(MANY)])
            assert [await one.result(20) for one in again] == [2 * number for number in range(MANY)]
        assert len(host.events("host.registered")) == 1
    tables = Tables(standby.dsn)
    assert await tables.attempts() == {(1, 1): MANY + 1}
    assert len(diary.pids("through")) == 1


def _followed(standby: OwnServer, question: str) -> Callable[[], Awaitable[bool]]:
    async def answer() -> bool:
        return bool(await Tables(standby.dsn).value(question))

    return answer


@pytest.mark.fault("F30")
async def test_a_triggers_own_transaction_goes_to_the_server_that_takes_writes(pair: tuple[OwnServer, OwnServer]) -> None:
    """In synchronous code too, where another driver looks for it; and a machine that is gone is noticed on both sides."""
    primary, standby = pair
    engine = PostgresEngine(both(standby, primary), SystemClock())
    show = "select current_setting('transaction_read_only') as read_only, current_setting('tcp_keepalives_idle') as idle"
    await engine.open()
    try:
        async with own.transaction(engine) as raw:
            assert tuple(await raw.fetchrow(show)) == ("off", "15")
        with own.transaction_now(engine) as connection:
            assert connection.execute(show).fetchone() == ("off", "15")
    finally:
        await engine.close()


@pytest.mark.fault("F30")
async def test_no_server_that_takes_writes_is_an_outage(pair: tuple[OwnServer, OwnServer]) -> None:
    """Until one is promoted; the text says what to look at."""
    primary, standby = pair
    application = Application(both(primary, standby))
    async with application.ops:
        await application.double.submit(1)
    primary.stop("immediate")
    with pytest.raises(StoreUnavailable, match=r"takes writes|cannot be reached"):
        async with application.ops:
            await application.double.submit(2)
    standby.promote()
    async with application.ops:
        await application.double.submit(3)


@pytest.mark.fault("F30")
async def test_connections_to_a_server_that_turned_read_only_are_given_up(
    application: Application, tables: Tables, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    """Sockets stay open and reading works; each refused write ends its connection, so that the next resolves the name anew."""
    with running(tables.url, tmp_path) as host:
        await host.ready()
        async with application.ops:
            assert await (await application.double.submit(1)).result(20) == 2
            await _read_only(postgres_server, on=True)
            try:
                await host.event("outage.began")
                with pytest.raises(StoreUnavailable, match="read-only"):
                    await application.double.submit(2)
            finally:
                await _read_only(postgres_server, on=False)
            await host.event("outage.ended", seconds=20)
            assert await (await application.double.submit(3)).result(20) == 6
        assert len(host.events("host.registered")) == 1
        assert await tables.hosts() == {host.id: ALIVE}
    assert await tables.count("operations") == 2


@pytest.mark.fault("F30")
async def test_one_refused_write_renews_all_connections(
    application: Application, tables: Tables, postgres_server: PostgresServer
) -> None:
    """Or else each of them would refuse one write after another server has taken over."""
    async with application.ops:
        await asyncio.gather(*(application.double.submit(number) for number in range(20)))
        await _read_only(postgres_server, on=True)
        try:
            stored = await _until_refused(application)
        finally:
            await _read_only(postgres_server, on=False)
        connections = "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'opwright'"

        async def given_up() -> bool:  # the server takes its time to notice
            return bool(await tables.value(connections) <= 1)  # that of a notification, which writes nothing

        await eventually(given_up, 20, "every connection is given up")
        await asyncio.gather(*(application.double.submit(number) for number in range(20)))
    assert await tables.count("operations") == 40 + stored


async def _until_refused(application: Application) -> int:
    """How many submits are stored before each server process has read the setting."""
    for stored in range(1000):
        try:
            await application.double.submit(stored)
        except StoreUnavailable as error:
            assert "read-only" in str(error)  # noqa: PT017 - which of them is refused nobody knows
            return stored
    raise AssertionError("nothing was refused")


async def _read_only(server: PostgresServer, *, on: bool) -> None:
    server.execute(f"alter system set default_transaction_read_only = {'on' if on else 'off'}", "select pg_reload_conf()")


@pytest.mark.fault("F31")
async def test_a_claim_that_vanished_with_the_old_server_ends_once(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path
) -> None:
    """The new server never saw the claim: the operation is ready there, while it runs here. It is begun again, and ends once."""
    with HostProcess(tables.url, tmp_path, workers=2, lease=4, renew=0.5, heartbeat=0.5) as host:
        await host.ready()
        async with application.ops:
            handle = await application.hold.submit("twice")
            first = (await diary.wait("start", "twice")).pid
            connection = await asyncpg.connect(tables.url)
            async with connection.transaction():  # as it was before the claim
                await connection.execute("delete from opwright.claimed")
                await connection.execute(
                    "insert into opwright.ready (queue, rank, operation, errors, deaths, trigger) "
                    "select queue, -priority, id, 0, 0, trigger from opwright.operations"
                )
            await connection.close()
            second = (await diary.wait("start", "twice", 2)).pid
            assert second != first
            diary.release("twice", first)
            await diary.wait("end", "twice")
            assert await tables.count("outcomes") == 0
            diary.release("twice", second)
            assert await handle.result(20) == second
            many = await application.double.submit_many([(number,) for number in range(MANY)])
            assert [await one.result(20) for one in many] == [2 * number for number in range(MANY)]
            both_again = [await application.hold.submit(name) for name in ("left", "right")]  # no worker was lost on the way
            for name in ("left", "right"):
                await diary.wait("start", name)
            for name in ("left", "right"):
                diary.release(name)
            assert {await one.result(20) for one in both_again} == {first, second}
        assert host.log().count(" ERROR ") == 0
    assert await tables.attempts() == {(1, 1): MANY + 3}


@pytest.mark.fault("F31")
async def test_a_host_and_operations_that_vanished_with_the_old_server_leave_no_trace(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path
) -> None:
    """The new server knows neither of them: the host returns under another id, and what it runs lands nowhere."""
    with running(tables.url, tmp_path) as host:
        await host.ready()
        old = host.id
        async with application.ops:
            await application.hold.submit("gone")
            await diary.wait("start", "gone")
            await tables.rows("delete from opwright.claimed")
            await tables.rows("delete from opwright.operations")
            await tables.rows("delete from opwright.hosts")
            await host.event("host.registered", 2)
            diary.release("gone")
            handle = await application.whoami.submit()
            assert await handle.result(20) in host.children()
            assert host.id > old
    assert await tables.column("select operation from opwright.outcomes") == [handle.id]

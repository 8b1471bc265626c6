"""A connection that nobody ends, and on which nothing comes any more: of LISTEN, and of every other part."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from opwright.store.postgresql import STATEMENT_SECONDS
from opwright.watch import postgresql as watch
from tests.kit.application import Application
from tests.kit.diary import Diary
from tests.kit.processes import HostProcess
from tests.kit.tables import ALIVE, Tables
from tests.kit.waiting import eventually
from tests.kit.wire import Wire

ECHO = b"opwright_echo_"
NEVER = 60.0  # seconds: the heartbeat of a host that has to be told


@pytest.fixture
def database_url(postgres_database: str) -> str:
    return postgres_database


@contextmanager
def running(url: str, folder: Path, **settings: float) -> Iterator[HostProcess]:
    given = {"lease": 6.0, "renew": 0.5, "heartbeat": 0.5, **settings}
    with HostProcess(url, folder, workers=1, **given) as host:  # type: ignore[arg-type]
        yield host


@pytest.mark.fault("F25", "F26")
async def test_a_deaf_listener_is_found_and_replaced(application: Application, wire: Wire, tables: Tables) -> None:
    """It sends itself a notification now and then; the one that does not come tells. What came meanwhile is caught up with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch, "PROBE_PERIOD", 0.3)
        patch.setattr(watch, "ECHO_SECONDS", 0.3)
        through = Application(wire.url(tables.url))
        async with application.ops, through.ops.host(pool="inline", heartbeat=NEVER, lease=120, renew=30):
            assert await (await application.double.submit(1)).result(20) == 2
            deaf = await eventually(
                lambda: wire.silence(heard=ECHO), what="it listens"
            )  # one that was slow may be replaced already
            handle = await application.double.submit(2)  # its notification is swallowed
            assert await handle.result(20) == 4
            await eventually(lambda: any(ECHO in line.said for line in wire.lines if line not in deaf))
            assert await (await application.double.submit(3)).result(20) == 6


@pytest.mark.fault("F27")
async def test_without_any_notification_everything_is_done_all_the_same(
    application: Application, wire: Wire, tables: Tables, tmp_path: Path
) -> None:
    """The heartbeat is underneath."""
    with running(wire.url(tables.url), tmp_path, heartbeat=0.3) as host:
        await host.ready()
        await host.event("watcher.connected")
        await eventually(lambda: wire.silence(heard=ECHO), what="it has heard itself, and listens for what comes")
        async with application.ops:
            for number in range(3):
                assert await (await application.double.submit(number)).result(20) == 2 * number
        assert host.events("watcher.deaf") == []  # nobody has noticed yet, and nothing has waited for it


@pytest.mark.fault("F34")
async def test_a_renewal_that_is_swallowed_costs_no_lease(
    application: Application, wire: Wire, tables: Tables, tmp_path: Path
) -> None:
    """It is given up in time for another one on a connection of its own; nobody takes the host over."""
    with (
        running(wire.url(tables.url), tmp_path) as host,
        HostProcess(tables.url, tmp_path, "judge", workers=1, lease=6, renew=0.5) as judge,
    ):
        await host.ready()
        await judge.ready()
        await eventually(lambda: wire.silence(b"workers"), what="it has renewed its lease")
        await host.event("outage.ended", seconds=20)
        async with application.ops:
            many = await application.double.submit_many([(number,) for number in range(20)])
            assert [await one.result(20) for one in many] == [2 * number for number in range(20)]
        assert await tables.hosts() == {host.id: ALIVE, judge.id: ALIVE}


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.fault("F34")
async def test_a_statement_that_is_swallowed_keeps_no_renewal_waiting(
    application: Application, wire: Wire, diary: Diary, tables: Tables, tmp_path: Path
) -> None:
    """A look for requests to cancel is sent more often than a renewal: it is the first on all connections that are dead."""
    with (
        running(wire.url(tables.url), tmp_path, lease=9.0, renew=3.0, heartbeat=0.2) as host,
        HostProcess(tables.url, tmp_path, "judge", workers=1, lease=6, renew=0.5) as judge,
    ):
        await host.ready()
        await judge.ready()
        async with application.ops:
            handles = [await application.hold.submit(name) for name in ("one", "two")]
            for name in ("one", "two"):
                await diary.wait("start", name)

            async def judges() -> bool:
                return bool(await tables.value("select min(renewed - started) from opwright.hosts") > 8 * 1e6)

            await eventually(judges, 20, "the other host may judge")
            assert len(wire.silence()) >= 3
            await host.event("outage.ended", seconds=60)
            assert await tables.hosts() == {host.id: ALIVE, judge.id: ALIVE}
            for name in ("one", "two"):
                diary.release(name)
            for handle in handles:
                await handle.result(60)
        assert len(host.events("host.registered")) == 1
    assert await tables.attempts() == {(1, 1): 2}


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.fault("F34")
async def test_every_statement_that_is_swallowed_is_given_up(
    application: Application, wire: Wire, tables: Tables, tmp_path: Path
) -> None:
    """Claims and ends too: each within its time limit, and what was claimed or ended meanwhile is settled then."""
    with running(wire.url(tables.url), tmp_path) as host:
        await host.ready()
        async with application.ops:
            assert await (await application.double.submit(1)).result(20) == 2
            assert len(wire.silence()) >= 3
            silenced = time.monotonic()
            handle = await application.double.submit(2)
            assert await handle.result(80) == 4  # not the claim's time and then that of the end: one tells of all
        assert time.monotonic() - silenced < 2 * STATEMENT_SECONDS
        assert len(host.events("host.registered")) == 1
    assert await tables.attempts() == {(1, 1): 2}

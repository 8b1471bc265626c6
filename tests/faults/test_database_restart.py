"""The database goes and comes back: hosts live on, say so once, lose nothing and take nothing from each other."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.kit.application import Application
from tests.kit.diary import Diary
from tests.kit.processes import HostProcess
from tests.kit.tables import ALIVE, Tables
from tests.kit.waiting import eventually, stays
from tests.kit.wire import wire_to
from tests.servers import OwnServer, own_postgres

LEASE, RENEW = 3.0, 0.5
HOSTS, LONG = 2, 4  # four operations that run all the time, on two hosts
MANY = 50


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    """A server that may be frozen."""
    with own_postgres() as server:
        yield server


@pytest.fixture
def database_url(server: OwnServer) -> Iterator[str]:
    with server.database() as url:
        yield url


@contextmanager
def running(url: str, folder: Path) -> Iterator[list[HostProcess]]:
    """Two hosts with short leases and two workers each."""
    with (
        HostProcess(url, folder, "one", workers=2, lease=LEASE, renew=RENEW, heartbeat=0.5) as one,
        HostProcess(url, folder, "two", workers=2, lease=LEASE, renew=RENEW, heartbeat=0.5) as two,
    ):
        yield [one, two]


async def disturb(server: OwnServer, way: str, hosts: list[HostProcess]) -> None:
    """Three leases long nothing can be written; then the server answers again."""
    if way == "frozen":
        pids = [server.pid, *server.children()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        await stays(lambda: not any(host.events("outage.ended") for host in hosts), 3 * LEASE)
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
        return
    server.stop("immediate" if way == "crashed" else "fast")
    await stays(lambda: not any(host.events("outage.ended") for host in hosts), 3 * LEASE)
    server.start()


def lines(host: HostProcess, level: str, text: str = "") -> list[str]:
    return [line for line in host.log().splitlines() if f" {level} " in line and text in line]


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.fault("F28")
@pytest.mark.parametrize("way", ["stopped", "crashed", "frozen"])
async def test_nothing_that_runs_is_restarted_when_the_database_is_down_for_three_leases(  # noqa: PLR0917 - pytest hands over by name
    application: Application, diary: Diary, tables: Tables, tmp_path: Path, server: OwnServer, way: str
) -> None:
    """Every lease has lapsed, but nobody could renew, so nobody is to blame: the same attempts run on and end as the first."""
    names = [f"long{number}" for number in range(LONG)]
    with running(tables.url, tmp_path) as hosts:
        for host in hosts:
            await host.ready()
        async with application.ops:
            handles = [await application.hold.submit(name) for name in names]
            for name in names:
                await diary.wait("start", name)
        workers = {pid for host in hosts for pid in host.children()}
        await stays(lambda: not any(host.events("service.failed") for host in hosts), LEASE)  # now each may judge the other
        await disturb(server, way, hosts)
        for host in hosts:
            await host.event("outage.ended", seconds=20)
        async with application.ops:
            many = await application.double.submit_many([(number,) for number in range(MANY)])
            diary.release(names[0])
            assert await handles[0].result(20) in workers
            assert [await one.result(20) for one in many] == [2 * number for number in range(MANY)]
            await stays(lambda: not any(host.events("host.lost") for host in hosts), 2 * LEASE)
            for name in names[1:]:
                diary.release(name)
            assert {await handle.result(20) for handle in handles} <= workers
        assert await tables.hosts() == {host.id: ALIVE for host in hosts}
        assert await tables.attempts() == {(1, 1): LONG + MANY}
        assert {len(diary.pids(name)) for name in names} == {1}
        for host in hosts:
            assert host.events("host.lost") == []
            assert len(lines(host, "WARNING")) == len(host.events("outage.began")) >= 1
            assert len(lines(host, "INFO", "the database is back")) == len(host.events("outage.ended"))
            assert lines(host, "ERROR") == []
            assert len(host.events("outage.began")) == 1


@pytest.mark.fault("F28")
async def test_two_restarts_in_a_row_need_no_new_process(
    application: Application, tables: Tables, tmp_path: Path, server: OwnServer
) -> None:
    """The server says "cannot connect now" while it starts and stops; the host asks again."""
    with HostProcess(tables.url, tmp_path, workers=1, lease=LEASE, renew=RENEW, heartbeat=0.5) as host:
        await host.ready()
        for number in range(2):
            server.restart("immediate" if number else "fast")
            async with application.ops:
                handle = await application.double.submit(number)
                assert await handle.result(20) == 2 * number
        await eventually(lambda: len(host.events("outage.ended")) == len(host.events("outage.began")), 20, "all is well")
        assert len(host.events("host.registered")) == 1
        assert lines(host, "ERROR") == []


@pytest.mark.fault("F28")
async def test_what_a_submit_was_told_is_true_whatever_the_server_does(
    application: Application, tables: Tables, server: OwnServer
) -> None:
    """While it restarts again and again, a submit either stores once or says that it did not."""
    told: list[int] = []

    async def submit(number: int) -> None:
        try:
            told.append((await application.double.submit(number)).id)
        except Exception:  # noqa: BLE001 - refused: it must not be stored
            await asyncio.sleep(0.01)

    async with application.ops:
        await submit(0)
        stop = asyncio.Event()

        async def keep(number: int) -> None:
            while not stop.is_set():
                await submit(number)

        tasks = [asyncio.create_task(keep(number)) for number in range(3)]
        for mode in ("fast", "immediate", "fast"):
            before = len(told)
            await eventually(partial(lambda before: len(told) > before + 20, before), 20, "submits go on")
            await asyncio.to_thread(server.restart, mode)
        stop.set()
        await asyncio.gather(*tasks)
    assert await tables.column("select id from opwright.operations order by id") == sorted(told)


@pytest.mark.fault("F28")
async def test_a_host_waits_for_a_server_that_starts_up(application: Application, tables: Tables, tmp_path: Path) -> None:
    """57P03 says that somebody is there; the host says what it waits for, and begins when it may."""
    async with wire_to(tables.url) as wire:
        wire.starting = True
        with HostProcess(wire.url(tables.url), tmp_path, workers=1) as host:
            await host.event("start.waits", seconds=30)
            await eventually(lambda: wire.refused >= 3, 20)
            wire.starting = False
            await host.ready()
            async with application.ops:
                assert await (await application.double.submit(1)).result(20) == 2
        assert len(lines(host, "WARNING", "starting up")) == 1


@pytest.mark.fault("F28")
async def test_a_wrong_address_is_told_at_once(tmp_path: Path) -> None:
    """Nobody is there: waiting would hide the mistake."""
    with HostProcess("postgresql://postgres@127.0.0.1:9/nothing", tmp_path, workers=1) as host:
        assert await host.ended(30) != 0
        assert "cannot be reached" in host.log()


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.fault("F28")
async def test_a_host_can_stop_while_the_database_is_frozen(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path, server: OwnServer
) -> None:
    """It waits for what it cannot write within bounds; its operations are taken over when its lease has ended."""
    with HostProcess(tables.url, tmp_path, workers=1, lease=LEASE, renew=RENEW, stop_grace=1, kill_after=1) as host:
        await host.ready()
        async with application.ops:
            handle = await application.hold.submit("held")
            await diary.wait("start", "held")
            pids = [server.pid, *server.children()]
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            try:
                host.terminate()
                assert await host.ended(50) == 0
            finally:
                for pid in reversed(pids):
                    os.kill(pid, signal.SIGCONT)
            with HostProcess(tables.url, tmp_path, "heir", workers=1, lease=LEASE, renew=RENEW, heartbeat=0.5) as heir:
                await heir.ready()
                diary.release("held")
                assert await handle.result(30) in heir.children()

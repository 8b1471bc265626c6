"""Clocks that are wrong, and time that stands still: leases and due times do not care, and no attempt runs on and on."""

import signal
import time
from pathlib import Path

import psutil
import pytest

from opwright import OperationFailed, Status
from tests.kit.application import Application
from tests.kit.diary import Diary
from tests.kit.processes import HostProcess
from tests.kit.skew import HOUR, Wall
from tests.kit.tables import ALIVE, Tables
from tests.kit.waiting import eventually

LEASE, RENEW = 3.0, 0.3


def wrong(url: str, wall: Wall, name: str) -> HostProcess:
    """A host with a short lease whose clock is wrong."""
    return HostProcess(
        url, wall.folder, name, module="tests.kit.skewed", workers=2, lease=LEASE, renew=RENEW, heartbeat=0.3, kill_after=0.5
    )


@pytest.mark.fault("F43")
async def test_hosts_an_hour_off_keep_their_leases_and_begin_what_is_due(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path
) -> None:
    """One is an hour ahead of the database and one an hour behind. Nobody is taken over, and times are the database's."""
    ahead, behind = Wall(tmp_path, "ahead", HOUR), Wall(tmp_path, "behind", -HOUR)
    async with application.ops:
        with wrong(tables.url, ahead, "ahead") as one, wrong(tables.url, behind, "behind") as two:
            await one.ready()
            await two.ready()
            handles = [await application.hold.submit(f"hold-{number}") for number in range(4)]
            for number in range(4):
                await diary.wait("start", f"hold-{number}")
            later = await application.note.options(delay=60).submit("later")

            async def leases_passed() -> bool:
                return bool(await tables.value("select min(renewed - started) from opwright.hosts") > 2 * LEASE * 1e6)

            await eventually(leases_passed, 20, "every host has outlived two leases")
            assert await tables.hosts() == {one.id: ALIVE, two.id: ALIVE}
            for number in range(4):
                diary.release(f"hold-{number}")
            workers = {await handle.result(20) for handle in handles}
            assert workers == {*one.children(), *two.children()}
            soon = await application.note.options(delay=0.3).submit("soon")
            await soon.result(20)
            assert await later.status() is Status.PENDING
            assert len(one.events("host.registered")) == len(two.events("host.registered")) == 1
    assert await tables.attempts() == {(1, 1): 5}
    assert await tables.count("operationstatus") == 0


@pytest.mark.fault("F43")
@pytest.mark.parametrize("step", [-HOUR, HOUR])
async def test_a_step_of_the_clock_gives_no_attempt_more_than_twice_its_time(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path, step: int
) -> None:
    """An hour backwards or forwards, while one with a limit of a second runs and one with a limit of ten minutes."""
    wall = Wall(tmp_path, "host", 0)
    async with application.ops:
        with wrong(tables.url, wall, "host") as host:
            await host.ready()
            patient = await application.hold.options(timeout=600).submit("patient")
            await diary.wait("start", "patient")
            short = await application.linger.options(timeout=1).submit("short")
            await diary.wait("start", "short")
            wall.set(step)
            with pytest.raises(OperationFailed, match="longer than"):
                await short.result(20)
            assert await patient.status() is Status.PROCESSING
            diary.release("patient")
            assert await patient.result(20) in host.children()
            assert len(host.events("host.registered")) == 1
    assert await tables.hosts() == {host.id: ALIVE}


@pytest.mark.fault("F44")
@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_hosts_that_stood_still_together_take_nobody_over(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path
) -> None:
    """A pause of the whole machine, longer than every lease: whoever wakes first is late itself and judges nobody."""
    async with application.ops:
        with short(tables.url, tmp_path, "one") as one, short(tables.url, tmp_path, "two") as two:
            await one.ready()
            await two.ready()
            handles = [await application.hold.submit(f"hold-{number}") for number in range(4)]
            for number in range(4):
                await diary.wait("start", f"hold-{number}")

            async def judges() -> bool:
                return bool(await tables.value("select min(renewed - started) from opwright.hosts") > 1.5 * LEASE * 1e6)

            await eventually(judges, 20, "both may judge")
            everybody = [pid for host in (one, two) for pid in (host.pid, *host.children())]
            stop(everybody)
            begun = time.monotonic()
            await eventually(lambda: time.monotonic() - begun > 2 * LEASE, 20, "every lease has lapsed")
            for pid in reversed(everybody):
                psutil.Process(pid).send_signal(signal.SIGCONT)
            before = await tables.value("select max(renewed) from opwright.hosts")

            async def renewed() -> bool:
                return bool(await tables.value("select min(renewed) from opwright.hosts") > before + 2 * LEASE * 1e6)

            await eventually(renewed, 20, "both have renewed for two leases")
            assert await tables.hosts() == {one.id: ALIVE, two.id: ALIVE}
            for number in range(4):
                diary.release(f"hold-{number}")
            for handle in handles:
                await handle.result(20)
            assert len(one.events("host.registered")) == len(two.events("host.registered")) == 1
    assert await tables.attempts() == {(1, 1): 4}
    assert len(diary.lines("start")) == 4


def short(url: str, folder: Path, name: str) -> HostProcess:
    """A host with a short lease."""
    return HostProcess(url, folder, name, workers=2, lease=LEASE, renew=RENEW, heartbeat=0.3)


def stop(pids: list[int]) -> None:
    """Freeze them all."""
    for pid in pids:
        psutil.Process(pid).send_signal(signal.SIGSTOP)

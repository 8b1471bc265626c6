"""The SQLite file is locked by another program, or there is no room for it: hosts wait, and keep what they could not write."""

import asyncio
from functools import partial
from pathlib import Path

import psutil
import pytest

from opwright.errors import StoreBusy, StoreUnavailable
from opwright.store.sqlite import SqliteEngine
from tests.kit.application import Application
from tests.kit.diary import Diary
from tests.kit.locked_file import held
from tests.kit.processes import HostProcess
from tests.kit.tables import ALIVE, Tables
from tests.kit.waiting import eventually

MANY = 40
LEASE = 3.0


@pytest.fixture
def database_url(sqlite_path: Path) -> str:
    return f"sqlite:///{sqlite_path}"


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.fault("F38")
async def test_hosts_outlast_a_long_transaction_of_another_program(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path, sqlite_path: Path
) -> None:
    """No renewal, no claim, no end for three leases: afterwards the same attempts end, and nobody was taken over."""
    with (
        HostProcess(tables.url, tmp_path, "one", workers=1, lease=LEASE, renew=0.4, heartbeat=0.5) as one,
        HostProcess(tables.url, tmp_path, "two", workers=1, lease=LEASE, renew=0.4, heartbeat=0.5) as two,
    ):
        await one.ready()
        await two.ready()
        async with application.ops:
            handles = [await application.hold.submit(name) for name in ("left", "right")]
            for name in ("left", "right"):
                await diary.wait("start", name)
            with held(sqlite_path) as pid:
                begun = asyncio.get_running_loop().time()
                diary.release("left")
                for host in (one, two):
                    await host.event("outage.began", seconds=20)
                    await host.until(partial(_told, host, f"process {pid}", "has not answered a renewal"), "told why")
                await eventually(lambda: asyncio.get_running_loop().time() - begun > 3 * LEASE, 20, "the leases have lapsed")
            for host in (one, two):
                await host.event("outage.ended", seconds=20)
            diary.release("right")
            for handle in handles:
                await handle.result(20)
        assert await tables.hosts() == {one.id: ALIVE, two.id: ALIVE}
        assert one.log().count(" ERROR ") == two.log().count(" ERROR ") == 0
    assert await tables.attempts() == {(1, 1): 2}


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.fault("F38")
async def test_a_host_that_starts_waits_for_a_locked_file(
    application: Application, tables: Tables, tmp_path: Path, sqlite_path: Path
) -> None:
    """It says whom it waits for, and starts when the file is free; a signal ends the waiting."""
    async with application.ops:
        await application.double.submit(1)
    with held(sqlite_path) as pid, HostProcess(tables.url, tmp_path, "patient", workers=1) as patient:
        with HostProcess(tables.url, tmp_path, "stopped", workers=1) as stopped:
            await stopped.event("start.waits", seconds=30)
            await stopped.until(partial(_told, stopped, f"process {pid}"), "told for whom")
            stopped.terminate()
            assert await stopped.ended(20) == 0
        await patient.event("start.waits", seconds=30)
        psutil.Process(pid).kill()
        await patient.ready()

        async def ended() -> bool:
            return await tables.count("outcomes") == 1

        await eventually(ended, 20, "the operation has ended")


def _told(host: HostProcess, *reasons: str) -> bool:
    """Whether its log gives one of these reasons; a line follows its event, and may be looked for in between."""
    log = host.log()
    return any(reason in log for reason in reasons)


@pytest.mark.fault("F38")
async def test_a_locked_file_loses_nothing_that_is_held_in_memory(
    application: Application, diary: Diary, tables: Tables, sqlite_path: Path
) -> None:
    """Claims and ends that found it locked are tried again; what could not be submitted was refused, with the holder's name."""
    async with application.ops, application.ops.host(pool="inline", slots=5, heartbeat=0.1):
        engine = (await application.ops.client.store()).engine
        assert isinstance(engine, SqliteEngine)
        engine.busy = 0.05
        names = [f"linger-{number}" for number in range(5)]
        handles = [await application.linger.submit(name) for name in names]
        for name in names:
            await diary.wait("start", name)
        with held(sqlite_path) as pid:
            with pytest.raises(StoreBusy, match=rf"process {pid}"):
                await application.double.submit(1)
            for name in names:
                diary.release(name)
            await asyncio.wait_for(_failing(application), 10)
        for handle in handles:
            await handle.result(20)
        many = await application.double.submit_many([(number,) for number in range(MANY)])
        assert [await one.result(20) for one in many] == [2 * number for number in range(MANY)]
    assert await tables.attempts() == {(1, 1): MANY + 5}


async def _failing(application: Application) -> None:
    """Until the ends have found the file locked."""
    outage = (await application.ops.client.store()).outage
    await eventually(lambda: "settler" in {service.name for service in outage._failing})


@pytest.mark.fault("F40")
async def test_what_ends_while_the_file_cannot_grow_is_written_when_it_can(application: Application, diary: Diary) -> None:
    """SQLITE_FULL: submits are refused, ends are kept and tried again."""
    async with application.ops, application.ops.host(pool="inline", slots=5, heartbeat=0.1):
        engine = (await application.ops.client.store()).engine
        assert isinstance(engine, SqliteEngine)
        assert engine._writer is not None
        handle = await application.linger.submit("ends")
        await diary.wait("start", "ends")
        await engine._hand_in(engine._writer, lambda file: file.execute("pragma max_page_count = 1").fetchall())
        with pytest.raises(StoreUnavailable, match="full"):
            await application.double.submit_many([(number,) for number in range(10_000)])
        diary.release("ends")
        await diary.wait("end", "ends")
        await engine._hand_in(engine._writer, lambda file: file.execute("pragma max_page_count = 1000000").fetchall())
        await handle.result(20)
        assert await (await application.double.submit(4)).result(20) == 8

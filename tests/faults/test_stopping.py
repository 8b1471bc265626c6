"""Hosts that stop while there is much to do, and hosts that were left behind without a good-bye."""

import time
from pathlib import Path

import asyncpg
import pytest

from tests.kit.application import Application
from tests.kit.diary import Diary
from tests.kit.processes import HostProcess, all_ended
from tests.kit.tables import ALIVE, DEATH, STOPPED, Tables
from tests.kit.waiting import eventually

GRACE, KILL_AFTER = 1.0, 1.0
LATER = 8.0  # seconds that a machine with much else to do may need beyond that
BACKLOG = 5_000
LEASE = 12.0  # longer than a host takes to start

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@on_postgresql
@pytest.mark.fault("F70")
@pytest.mark.timeout(120)
async def test_a_host_with_a_backlog_leaves_within_its_grace_beside_an_open_transaction(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path
) -> None:
    """What it interrupts is ready again at once and uncharged, whether it listens or not; the next host has it within moments."""
    async with application.ops:
        held = [await application.hold.submit("hold"), await application.stubborn.submit("stubborn")]
        with HostProcess(tables.url, tmp_path, "first", stop_grace=GRACE, kill_after=KILL_AFTER) as host:
            await host.ready()
            await diary.wait("start", "hold")
            await diary.wait("start", "stubborn")
            backlog = await application.double.submit_many([(number,) for number in range(BACKLOG)])
            idle = await asyncpg.connect(tables.url)
            await idle.execute("begin")
            await idle.execute("select pg_current_xact_id(), * from opwright.ready limit 100 for update")
            workers, begun = host.children(), time.monotonic()
            host.terminate()
            assert await host.ended(30) == 0
            assert time.monotonic() - begun < GRACE + KILL_AFTER + LATER
            await all_ended(workers, 10)
        assert await tables.hosts() == {host.id: STOPPED}
        assert await tables.counts() == {"operations": BACKLOG + 2, "ready": BACKLOG + 2, "hosts": 1}
        assert await tables.rows("select distinct errors, deaths from opwright.ready") == [(0, 0)]
        diary.release("hold")
        diary.release("stubborn")
        with HostProcess(tables.url, tmp_path, "second") as second:
            await second.ready()
            for handle in held:
                await handle.result(20)
            await idle.close()
            await backlog[-1].result(30)
    assert (await tables.attempts()).keys() == {(1, 1)}


@pytest.mark.fault("F73")
@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_host_that_was_left_behind_delays_no_other(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path
) -> None:
    """Killed and started three times, as by a reload: each begins at once; what the first held comes when its lease is over."""
    ids = []
    async with application.ops:
        held = await application.hold.submit("held")
        for number in range(3):
            with HostProcess(tables.url, tmp_path, f"host-{number}", lease=LEASE, renew=1.0) as host:
                await host.ready()
                await diary.wait("start", "held")
                assert await (await application.whoami.submit()).result(20) in host.children()
                ids.append(host.id)
                assert (await tables.hosts())[ids[-1]] == ALIVE
                if number == 1:
                    assert (await tables.hosts())[ids[0]] == ALIVE, "it had to wait for the lease of the one before"
                if number < 2:
                    await away(host)
                    continue
                again = await diary.wait("start", "held", 2, seconds=40)
                assert again.pid in host.children()
                diary.release("held")
                assert await held.result(20) == again.pid
                await eventually(
                    lambda: tables.value("select count(*) = 1 from opwright.hosts where state = 1"), 30, "one is alive"
                )
        assert [kind for kind, _ in await tables.notes(held.id)] == [DEATH]
    assert len(diary.lines("start", "held")) == 2


async def away(host: HostProcess) -> None:
    """It is killed with its workers, and says no good-bye."""
    workers = host.children()
    host.kill()
    await host.ended()
    await all_ended(workers, 5)

"""Workers and hosts that are killed again and again under load, and workers that cannot be watched over."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread

import pytest

from opwright.telemetry import recorded
from opwright.workers import child
from tests.faults.kit import check_nothing_is_lost, ended
from tests.faults.unruly import Unruly
from tests.kit.crew import Crew
from tests.kit.diary import Diary
from tests.kit.tables import Tables
from tests.kit.waiting import eventually

CALM, RAGE = 6.0, 20.0  # seconds
BACKLOG = 400  # operations that wait while the throughput is measured


@asynccontextmanager
async def fed(unruly: Unruly, tables: Tables) -> AsyncIterator[list[int]]:
    """During the block there is always something to do; the ids of all that was submitted. Every look audits: nothing is lost."""
    submitted: list[int] = []

    async def feed() -> None:
        while True:
            if await tables.count("ready") < BACKLOG:
                handles = await unruly.brief.submit_many([(f"{len(submitted) + number}",) for number in range(BACKLOG)])
                submitted.extend(handle.id for handle in handles)
            await audit(tables)

    task = asyncio.create_task(feed())
    try:
        yield submitted
    finally:
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        await task


async def audit(tables: Tables) -> None:
    """In one statement, so of one moment: no operation stands nowhere, none stands in two places."""
    places = " union all ".join(
        f"select operation from opwright.{place}" for place in ("ready", "delayed", "claimed", "outcomes")
    )
    lost = "select id, 0 from opwright.operations where id not in (select operation from places)"
    doubled = "select operation, count(*) from places group by operation having count(*) > 1"
    rows = await tables.rows(f"with places as ({places}) {lost} union all {doubled}")
    assert rows == []


async def throughput(tables: Tables, seconds: float) -> float:
    """Ends per second from now on, for so long."""
    loop = asyncio.get_running_loop()
    begun, before = loop.time(), await tables.count("outcomes")
    await eventually(lambda: loop.time() - begun >= seconds, seconds + 10)
    return float((await tables.count("outcomes") - before) / (loop.time() - begun))


async def check_all_succeeded(tables: Tables, diary: Diary, submitted: list[int]) -> None:
    """Each operation that was submitted has one outcome, a success, and ran to its end at least once."""
    assert sorted(await tables.column("select operation from opwright.outcomes where status = 1")) == sorted(submitted)
    assert len({line.name for line in diary.lines("done")}) == len(submitted)
    await check_nothing_is_lost(tables)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.fault("F11", "F20")
async def test_nothing_is_lost_by_kills_every_few_seconds_under_load(  # noqa: PLR0917 - pytest hands over by name
    unruly: Unruly, diary: Diary, tables: Tables, tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:  # F11, F20
    """A worker every few seconds, then a whole host: every operation ends SUCCEEDED. Prints what the kills cost of the speed."""
    chance = random.Random(seed)
    async with unruly.ops, Crew(tables.url, tmp_path, module=Unruly.module) as crew:
        async with fed(unruly, tables) as submitted:
            await ended(tables, 50)
            calm = await throughput(tables, CALM)
            async with crew.rage(chance, pause=4.0, hosts=0):
                rage = await throughput(tables, RAGE)
                await eventually(lambda: crew.kills >= 5, 60, "five kills")
            await crew.kill_host(chance)
        await ended(tables, len(submitted), 120)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{crew.kills} kills: {rage:.0f} operations per second, {calm:.0f} before them: {100 * rage / calm:.0f} %\n"
        )
    await check_all_succeeded(tables, diary, submitted)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.fault("F20")
async def test_a_kill_in_the_middle_of_claims_drops_nothing(
    unruly: Unruly, diary: Diary, tables: Tables, tmp_path: Path, seed: int
) -> None:  # F20
    """A host is killed while it claims and settles without a pause: at every moment each operation stands in one place."""
    chance = random.Random(seed)
    async with unruly.ops, Crew(tables.url, tmp_path, module=Unruly.module, workers=1) as crew:
        async with fed(unruly, tables) as submitted:
            await ended(tables, chance.randrange(20, 200))
            await crew.kill_host(chance)
        await ended(tables, len(submitted), 50)
    await check_all_succeeded(tables, diary, submitted)


@pytest.mark.fault("F19")
async def test_a_host_that_has_lost_all_its_workers_at_once_gets_new_ones(unruly: Unruly, diary: Diary) -> None:  # F19
    """Idle or not; and the host itself never stops."""
    async with unruly.ops.host(workers=2) as host:
        await eventually(lambda: len(host.free()) == 2, 20, "both are heated")
        busy = await unruly.hold.submit("busy")
        await diary.wait("start", "busy")
        before = {worker.pid for worker in host.workers()}
        for pid in before:
            os.kill(pid or 0, signal.SIGKILL)
        diary.release("busy")
        assert await busy.result(20) not in before
        await eventually(lambda: len(host.free()) == 2, 20, "both are replaced")
        assert before.isdisjoint(worker.pid for worker in host.workers())


class NoThread(Thread):
    """The first one that is started is one too many for the machine."""

    refused = 0

    def start(self) -> None:
        if not NoThread.refused:
            NoThread.refused += 1
            raise RuntimeError("can't start new thread")
        super().start()


@pytest.mark.fault("F19")
async def test_a_worker_that_nobody_can_watch_over_is_replaced(unruly: Unruly, monkeypatch: pytest.MonkeyPatch) -> None:  # F19
    """The machine gives no thread for one moment: the host says so, and has all its workers a moment later."""
    monkeypatch.setattr(NoThread, "refused", 0)
    monkeypatch.setattr(child, "Thread", NoThread)
    with recorded() as events:
        async with unruly.ops.host(workers=2) as host:
            await eventually(lambda: len(host.free()) == 2, 20, "both are heated")
            assert await (await unruly.double.submit(1)).result(10) == 2
    (broken,) = [fields for name, fields in events if name == "worker.broken"]
    assert "can't start new thread" in broken["error"]
    assert len([name for name, _ in events if name == "worker.started"]) == 3

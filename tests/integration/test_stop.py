"""Stopping a host: what runs may finish, the rest goes back as if it had never been taken, no process is left."""

import asyncio
import signal
from pathlib import Path
from typing import Any, Literal

import pytest

from opwright import Status
from opwright.model.claim import Claim
from opwright.scheduler.scheduler import Scheduler
from opwright.store.queue import Queue
from tests.kit.application import Application
from tests.kit.diary import Diary
from tests.kit.processes import HostProcess, all_ended
from tests.kit.tables import STOPPED, Tables
from tests.kit.waiting import eventually, stays

UNCHARGED = (0, 0)


async def charged(tables: Tables, operation: int) -> list[tuple[int, int]]:
    """What a ready operation has spent of its budgets."""
    return [(errors, deaths) for errors, deaths in await tables.rows(
        f"select errors, deaths from opwright.ready where operation = {operation}"
    )]  # fmt: skip


async def test_what_runs_finishes_and_the_rest_goes_back(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path
) -> None:
    """SIGTERM: exit code 0, the host says good-bye, its workers are gone, and nothing was charged."""
    async with application.ops:
        with HostProcess(tables.url, tmp_path, workers=1) as host:
            await host.ready()
            running = await application.hold.submit("running")
            await diary.wait("start", "running")
            waiting = [await application.note.submit(f"waiting-{number}") for number in range(5)]
            workers = host.children()
            host.terminate()
            await host.until(lambda: "stopping" in host.log(), "stopping")
            assert host.children() == workers, "a worker left before its operation had ended"
            diary.release("running")
            assert await host.ended() == 0
            await all_ended(workers, 1)
        assert await running.result(1) in workers
        assert await tables.attempts() == {(1, 1): 1}
        assert await tables.hosts() == {host.id: STOPPED}
        assert [await charged(tables, one.id) for one in waiting] == [[UNCHARGED]] * 5
        assert await tables.counts() == {"operations": 6, "ready": 5, "outcomes": 1, "hosts": 1}
        assert diary.lines("start", "waiting-0") == []


@pytest.mark.fault("F70")
@pytest.mark.parametrize("trigger", ["hold", "linger", "stubborn"])
async def test_what_outlives_the_grace_is_interrupted_and_goes_back(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path, trigger: str
) -> None:
    """Sync, async, or deaf to every request: it is ready again, uncharged, and another host runs it as attempt 1."""
    async with application.ops:
        with HostProcess(tables.url, tmp_path, "first", workers=1, stop_grace=0.2, kill_after=0.5) as host:
            await host.ready()
            operation = await application.ops.submit(trigger, name="late")
            await diary.wait("start", "late")
            workers = host.children()
            host.terminate()
            assert await host.ended(10) == 0
            await all_ended(workers, 1)
        assert await tables.hosts() == {host.id: STOPPED}
        assert await charged(tables, operation.id) == [UNCHARGED]
        assert await tables.notes(operation.id) == []
        assert diary.lines("end") == []
        diary.release("late")
        with HostProcess(tables.url, tmp_path, "second", workers=1) as host:
            await operation.result(20)
        assert await tables.attempts() == {(1, 1): 1}


async def test_a_second_signal_does_not_wait(application: Application, diary: Diary, tables: Tables, tmp_path: Path) -> None:
    """With all the grace in the world, a second SIGTERM ends the host at once, in good order."""
    async with application.ops:
        with HostProcess(tables.url, tmp_path, workers=2, stop_grace=600, kill_after=600) as host:
            await host.ready()
            operations = [await application.hold.submit("one"), await application.stubborn.submit("two")]
            await diary.wait("start", "one")
            await diary.wait("start", "two")
            workers = host.children()
            host.terminate()
            await host.until(lambda: "stopping" in host.log(), "stopping")
            host.signal(signal.SIGTERM)
            assert await host.ended(5) == 0
            await all_ended(workers, 1)
        assert await tables.hosts() == {host.id: STOPPED}
        assert [await charged(tables, one.id) for one in operations] == [[UNCHARGED]] * 2
        assert await tables.count("operationstatus") == 0


async def test_nothing_is_handled_until_a_host_is_started(application: Application, diary: Diary, tables: Tables) -> None:
    """DAM-49, DAM-50, DAM-51: what is there before the start stays as it is, and is handled after it."""
    async with application.ops:
        host = application.ops.host(workers=1)
        handles = [await application.note.submit("early"), await application.note.options(delay=0.1).submit("delayed")]
        await stays(lambda: not diary.lines(), 1.0)
        assert [await handle.status() for handle in handles] == [Status.PENDING] * 2
        assert await tables.counts() == {"operations": 2, "ready": 1, "delayed": 1}
        async with host:
            await eventually(lambda: len(diary.lines("start")) == 2, 20, "both are handled")
            await handles[0].result(5)
            await handles[1].result(5)
    assert await tables.attempts() == {(1, 1): 2}


@pytest.mark.parametrize("pool", ["process", "inline"])
@pytest.mark.fault("F70")
async def test_a_claim_that_is_on_its_way_goes_back_too(
    application: Application, tables: Tables, monkeypatch: pytest.MonkeyPatch, pool: Literal["process", "inline"]
) -> None:
    """The host stops between the commit of a claim and its answer: the operation is ready again, nothing was charged."""
    claim, committed, stopping = Queue.claim, asyncio.Event(), asyncio.Event()
    arrived = Scheduler.arrived

    async def late(self: Queue, **options: Any) -> list[Claim]:
        claims = await claim(self, **options)
        if claims:
            committed.set()
            await stopping.wait()
        return claims

    async def waits(self: Scheduler) -> None:
        stopping.set()
        await arrived(self)

    monkeypatch.setattr(Queue, "claim", late)
    monkeypatch.setattr(Scheduler, "arrived", waits)
    async with application.ops:
        host = application.ops.host(workers=1, pool=pool)
        await host.start()
        await eventually(lambda: not host.pending(), 20, "the worker is heated")
        operation = await application.double.submit(1)
        await asyncio.wait_for(committed.wait(), 10)
        await host.stop()
    assert await charged(tables, operation.id) == [UNCHARGED]
    assert list((await tables.hosts()).values()) == [STOPPED]

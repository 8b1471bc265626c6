"""When operations run, whether they may, in which order, where, and how they are stopped."""

import asyncio
import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from opwright import OperationCancelled, OperationFailed, Status
from opwright.model.options import Backoff
from opwright.operations.handle import Handle
from tests.kit.application import Application, Older
from tests.kit.diary import Diary
from tests.kit.processes import ROOT, HostProcess
from tests.kit.tables import Tables
from tests.kit.waiting import eventually, stays

PUNCTUAL, TRIES = 0.15, 3  # seconds after which an idle host is late; how often a busy machine may try
TICK = 0.001  # seconds: what SQLite's clock tells apart
NEVER = 30.0  # seconds: the heartbeat of a host that has to be told
OBEDIENCE = 2.5  # seconds until a host kills what was asked to end: who obeys does so, though the machine stands still meanwhile
ERROR = 1  # the kind of a line in operationstatus


# -- later


async def lateness(application: Application, tables: Tables) -> float:
    """Submit for several moments, by delay and by date, in no order; the seconds of the one that began last after it was due."""
    now = datetime.now(UTC)
    dates = [now + timedelta(seconds=seconds) for seconds in (3.2, 2.8)]
    handles = [await application.stamp.options(start_at=date).submit() for date in dates]
    delayed = {}
    for delay in (3.4, 3.0):
        asked = time.time()
        handle = await application.stamp.options(delay=delay).submit()
        delayed[handle] = (asked + delay, time.time() + delay)
    rows = await tables.rows("select operation, due from opwright.delayed")
    due: dict[int, float] = {number: microseconds / 1e6 for number, microseconds in rows}
    assert [due[handle.id] for handle in handles] == pytest.approx([date.timestamp() for date in dates], abs=1e-5)
    assert all(soonest - TICK <= due[handle.id] <= latest for handle, (soonest, latest) in delayed.items())
    late = [await handle.result(20) - due[handle.id] for handle in (*handles, *delayed)]
    assert min(late) >= -TICK, f"one began before it was due: {late}"
    return max(late)


async def test_what_is_delayed_begins_when_it_is_due(
    application: Application, tables: Tables, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Never early, and within 150 ms on an idle host, which no heartbeat has to help."""
    worst: list[float] = []
    async with application.ops:
        with HostProcess(tables.url, tmp_path, workers=1, heartbeat=NEVER) as host:
            await host.ready()
            while len(worst) < TRIES and min(worst, default=PUNCTUAL) >= PUNCTUAL:
                worst.append(await lateness(application, tables))
    with capsys.disabled():
        sys.stdout.write(f"\nat most so many ms after it was due: {', '.join(f'{1e3 * seconds:.0f}' for seconds in worst)}\n")
    assert min(worst) < PUNCTUAL


async def test_what_is_due_already_begins_at_once(application: Application, tables: Tables, tmp_path: Path) -> None:
    """A date in the past, a delay of nothing, and what fell due while no host ran: none of them waits for a heartbeat."""
    async with application.ops:
        missed = await application.stamp.options(delay=0.1).submit()
        past = await application.stamp.options(start_at=datetime(2000, 1, 1, tzinfo=UTC)).submit()
        assert (await tables.column("select operation from opwright.ready")) == [past.id]
        with HostProcess(tables.url, tmp_path, workers=1, heartbeat=NEVER) as host:
            await host.ready()
            now = await application.stamp.options(delay=0).submit()
            for handle in (missed, past, now):
                await handle.result(10)


# -- again


async def test_what_fails_is_tried_again_until_it_succeeds(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path
) -> None:
    """Each pause is as long as its backoff says, each error stands in the log, and what counts is the last attempt."""
    async with application.ops:
        with HostProcess(tables.url, tmp_path, workers=1, heartbeat=NEVER) as host:
            await host.ready()
            patient = application.flaky.options(retries=3, backoff=Backoff(first=0.2, factor=2, jitter=0))
            operation = await patient.submit("patient", failures=2)
            assert await operation.result(20) == 3
        first, second, third = (line.at for line in diary.lines("start", "patient"))
        assert second - first >= 0.2
        assert third - second >= 0.4
        assert [(kind, f"failure {number}" in text) for number, (kind, text) in
                enumerate(await tables.notes(operation.id), 1)] == [(ERROR, True)] * 2  # fmt: skip
        assert await tables.attempts() == {(1, 3): 1}


async def test_what_fails_too_often_ends_failed(application: Application, diary: Diary, tables: Tables, tmp_path: Path) -> None:
    """Without retries after the first error, else after the last retry; with the error of the last attempt."""
    async with application.ops:
        with HostProcess(tables.url, tmp_path, workers=1, heartbeat=NEVER) as host:
            await host.ready()
            once = await application.flaky.submit("once", failures=9)
            twice = await application.flaky.options(retries=1, backoff=0.1).submit("twice", failures=9)
            with pytest.raises(OperationFailed, match="failure 1"):
                await once.result(20)
            with pytest.raises(OperationFailed, match="failure 2"):
                await twice.result(20)
        assert [len(diary.pids(name)) for name in ("once", "twice")] == [1, 2]
        assert await tables.attempts() == {(2, 1): 1, (2, 2): 1}


async def test_what_its_worker_lost_is_begun_again_at_once(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path
) -> None:
    """After the death of a worker its host needs no heartbeat to find what became ready again."""
    async with application.ops:
        with HostProcess(tables.url, tmp_path, heartbeat=NEVER) as host:
            await host.ready()
            operation = await application.hold.submit("lost")
            os.kill((await diary.wait("start", "lost")).pid, signal.SIGKILL)
            again = await diary.wait("start", "lost", 2)
            diary.release("lost")
            assert await operation.result(10) == again.pid


async def test_what_a_host_gives_back_is_begun_elsewhere_at_once(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path
) -> None:
    """A host that stops tells the others: they need no heartbeat to find what it could not finish."""
    async with application.ops:
        with HostProcess(tables.url, tmp_path, "first", workers=1, stop_grace=0.1, kill_after=0.5) as first:
            await first.ready()
            operation = await application.hold.submit("handed-on")
            await diary.wait("start", "handed-on")
            with HostProcess(tables.url, tmp_path, "second", workers=1, heartbeat=NEVER) as second:
                await second.ready()
                first.terminate()
                assert await first.ended() == 0
                again = await diary.wait("start", "handed-on", 2)
                diary.release("handed-on")
                assert [await operation.result(10)] == [again.pid] == second.children()


# -- no longer


async def test_what_runs_too_long_ends_failed(application: Application, diary: Diary, tables: Tables, tmp_path: Path) -> None:
    """Sync or async it is interrupted where it is, and its worker serves on; one that resists is killed. Neighbours run on."""
    async with application.ops:
        with HostProcess(tables.url, tmp_path, workers=2, kill_after=OBEDIENCE) as host:
            await host.ready()
            workers = host.children()
            neighbour = await application.hold.submit("neighbour")
            await diary.wait("start", "neighbour")
            for trigger in (application.nap, application.doze):
                begun = time.monotonic()
                with pytest.raises(OperationFailed, match=r"OperationTimeout: .* 0\.4 s"):
                    await (await trigger.options(timeout=0.4).submit(50)).result(20)
                assert 0.4 <= time.monotonic() - begun < 10
            await (await application.nap.options(timeout=20).submit(0.1)).result(20)
            assert host.children() == workers
            operation = await application.stubborn.options(timeout=0.4, retries=1, backoff=0).submit("deaf")
            with pytest.raises(OperationFailed, match="OperationTimeout"):
                await operation.result(20)
            assert len(set(diary.pids("deaf"))) == 2, "the second attempt ran in a process that was to be killed"
            diary.release("neighbour")
            assert await neighbour.result(10) == diary.pids("neighbour")[0]
        assert await tables.attempts() == {(1, 1): 2, (2, 1): 2, (2, 2): 1}


# -- not at all


async def cancelled(*operations: Handle[Any]) -> list[bool]:
    """Cancel from a process that is neither the submitter nor the host; what it was told."""
    numbers = [str(operation.id) for operation in operations]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.kit.canceller", *numbers, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return [word == "True" for word in output.decode().split()]


async def test_what_waits_is_cancelled_at_once(application: Application, diary: Diary, tables: Tables, tmp_path: Path) -> None:
    """Ready or delayed it ends as CANCELLED without a host, and no host ever begins it."""
    async with application.ops:
        ready = await application.note.submit("ready")
        delayed = await application.note.options(delay=0.1).submit("delayed")
        late = await application.note.options(delay=3600).submit("late")
        assert await cancelled(ready, delayed, late) == [True] * 3
        for operation in (ready, delayed, late):
            assert await operation.status() is Status.CANCELLED
            with pytest.raises(OperationCancelled, match="cancelled by its submitter"):
                await operation.result(1)
        with HostProcess(tables.url, tmp_path, workers=1) as host:
            await host.ready()
            assert await (await application.flaky.submit("after", failures=0)).result(20) == 1
        assert [line.name for line in diary.lines("start")] == ["after"]
        assert await tables.attempts() == {(1, 1): 1, (3, 0): 3}


async def test_what_runs_is_cancelled_by_its_host(application: Application, diary: Diary, tables: Tables, tmp_path: Path) -> None:
    """Sync or async it is interrupted and its worker serves on; one that resists is killed. No heartbeat is needed for it."""
    async with application.ops:
        with HostProcess(tables.url, tmp_path, workers=2, heartbeat=NEVER, kill_after=OBEDIENCE) as host:
            await host.ready()
            workers = host.children()
            neighbour = await application.hold.submit("neighbour")
            await diary.wait("start", "neighbour")
            for trigger, name in ((application.hold, "sync"), (application.linger, "async"), (application.stubborn, "deaf")):
                operation = await trigger.submit(name)
                await diary.wait("start", name)
                assert host.children() == workers, f"{name} came after a worker had been lost"
                assert await cancelled(operation) == [True]
                with pytest.raises(OperationCancelled, match="cancelled by request"):
                    await operation.result(10)
            assert [line.event for line in diary.lines(name="async")] == ["start", "cancelled"]
            assert diary.lines("asked", "deaf")
            diary.release("neighbour")
            assert await neighbour.result(10) == diary.pids("neighbour")[0]
            assert await (await application.whoami.submit()).result(20) in host.children()
        assert await tables.attempts() == {(1, 1): 2, (3, 1): 3}
        assert await tables.count("cancel_requests") == 0
        assert len(diary.lines("start")) == 4


async def test_what_has_ended_stays_as_it_is(application: Application, diary: Diary, tables: Tables, tmp_path: Path) -> None:
    """Cancelling it answers no, and changes no row; so does cancelling a second time, and what never was."""
    async with application.ops:
        with HostProcess(tables.url, tmp_path, workers=1) as host:
            await host.ready()
            succeeded = await application.double.submit(21)
            failed = await application.flaky.submit("failed", failures=1)
            assert await succeeded.result(20) == 42
            with pytest.raises(OperationFailed):
                await failed.result(20)
            gone = await application.note.options(delay=60).submit("gone")
            assert await gone.cancel()
            rows = await tables.rows("select * from opwright.outcomes order by operation")
            assert await cancelled(succeeded, failed, gone, application.ops.handle(1)) == [False] * 4
        assert await tables.rows("select * from opwright.outcomes order by operation") == rows
        assert [status for _, status in sorted(
            await tables.rows("select operation, status from opwright.outcomes")
        )] == [1, 2, 3]  # fmt: skip
        assert await tables.count("cancel_requests") == 0


# -- where


def stranger() -> None:
    """A trigger that no host knows."""


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # it takes two looks of the housekeeping: 10 s
@pytest.mark.fault("F67")
async def test_a_trigger_that_no_host_knows_ends_failed(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path
) -> None:
    """After ``unknown_after`` without any host that knows it, while what a busy host knows waits for that host."""
    application.ops.operation(stranger)  # the application has learnt it, the hosts have not been started anew
    old = HostProcess(tables.url, tmp_path, "old", module=Older.module, workers=1, heartbeat=0.3, unknown_after=0.3)
    new = HostProcess(tables.url, tmp_path, "new", workers=1, heartbeat=0.3, unknown_after=0.3)
    async with application.ops:
        with old, new:
            await old.ready()
            await new.ready()
            held = await application.hold.submit("held")
            await diary.wait("start", "held")
            unknown = await application.ops.submit("stranger")
            known = await application.note.submit("known")
            with pytest.raises(
                OperationFailed, match=r"UnknownTrigger: no live host has known the trigger 'stranger' for 0\.3 s"
            ):
                await unknown.result(30)
            assert await known.status() is Status.PENDING
            assert await (await application.whoami.submit()).result(10) in old.children()
            diary.release("held")
            await held.result(10)
            await known.result(10)
            assert diary.pids("known") == new.children()
        assert await tables.attempts() == {(1, 1): 3, (2, 0): 1}


@pytest.mark.fault("F67")
async def test_a_host_claims_only_what_it_knows(application: Application, diary: Diary, tables: Tables, tmp_path: Path) -> None:
    """What it does not know stays untouched, keeps nothing else from being done, and goes to the first host that knows it."""
    async with application.ops:
        with HostProcess(tables.url, tmp_path, "old", module=Older.module, workers=1) as old:
            await old.ready()
            first = [await application.note.submit(f"note-{number}") for number in range(3)]
            for _ in range(3):
                assert await (await application.whoami.submit()).result(10) in old.children()
            assert await tables.counts() == {"operations": 6, "ready": 3, "outcomes": 3, "hosts": 1}
            with HostProcess(tables.url, tmp_path, "new", workers=1) as new:
                for operation in first:
                    await operation.result(20)
                assert {line.pid for line in diary.lines("start")} <= set(new.children())
                assert {
                    await tables.value(f"select host from opwright.outcomes where operation = {one.id}") for one in first
                } == {new.id}
        assert await tables.attempts() == {(1, 1): 6}


async def test_a_host_serves_only_its_queues(application: Application, diary: Diary, tables: Tables, tmp_path: Path) -> None:
    """What stands in other queues, ready or delayed, waits for a host that serves them, however long."""
    async with application.ops:
        with HostProcess(tables.url, tmp_path, "a", workers=1, queues=("a",), heartbeat=0.1, unknown_after=0.1) as host:
            await host.ready()
            others = [
                await application.note.options(queue="b", priority=9).submit("b"),
                await application.note.submit("default"),
                await application.note.options(queue="b", delay=0.1).submit("delayed"),
            ]
            for number in range(3):
                await (await application.note.options(queue="a").submit(f"a-{number}")).result(10)
            await stays(lambda: len(diary.lines("start")) == 3, 0.5)
            assert {line.name for line in diary.lines("start")} == {"a-0", "a-1", "a-2"}
            with HostProcess(tables.url, tmp_path, "rest", workers=1, queues=("b", "default")) as rest:
                for operation in others:
                    await operation.result(20)
                assert {line.pid for line in diary.lines("start") if not line.name.startswith("a-")} <= set(rest.children())
        assert await tables.attempts() == {(1, 1): 6}


# -- in which order


async def test_what_is_more_urgent_goes_first(application: Application, diary: Diary, tables: Tables, tmp_path: Path) -> None:
    """One worker does the higher priority first, and equals in the order of their submits."""
    priorities = [0, 5, -3, 100, 5, -100, 0]
    async with application.ops:
        with HostProcess(tables.url, tmp_path, workers=1) as host:
            await host.ready()
            await application.hold.submit("first")
            await diary.wait("start", "first")
            handles = [
                await application.note.options(priority=priority).submit(f"{number}")
                for number, priority in enumerate(priorities)
            ]
            diary.release("first")
            for handle in handles:
                await handle.result(10)
    order = [int(line.name) for line in diary.lines("start") if line.name != "first"]
    assert order == sorted(range(len(priorities)), key=lambda number: (-priorities[number], number))


async def test_what_is_urgent_passes_a_long_queue(application: Application, diary: Diary, tables: Tables, tmp_path: Path) -> None:
    """Submitted last, while the queue is being done, it is done next, before all that nobody has begun."""
    async with application.ops:
        with HostProcess(tables.url, tmp_path, workers=1, look_ahead=0) as host:
            await host.ready()
            await application.note.submit_many([(f"front-{number}",) for number in range(100)])
            await application.hold.submit("middle")
            await application.note.submit_many([(f"back-{number}",) for number in range(400)])
            await diary.wait("start", "middle", seconds=30)
            urgent = await application.note.options(priority=1).submit("urgent")
            diary.release("middle")
            await urgent.result(10)
            await eventually(lambda: len(diary.lines("start")) == 502, 30, "the whole queue is done")
    done = [line.name for line in diary.lines("start")]
    assert done.index("urgent") == done.index("middle") + 1 == 101

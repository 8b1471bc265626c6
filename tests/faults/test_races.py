"""Cancels, retries and stops that meet the end of what they are about."""

import asyncio
import random
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Literal

import pytest

from opwright import AlreadyRetried, InvalidOperation, OperationCancelled, OperationFailed, Status
from opwright.operations.handle import Handle
from tests.faults.kit import check_nothing_is_lost, ended, send, short
from tests.faults.unruly import Unruly
from tests.kit.diary import Diary
from tests.kit.processes import HostProcess
from tests.kit.tables import Tables
from tests.kit.waiting import eventually, stays

MANY = 300
WAVES = 4
HEARTBEAT = 0.5  # seconds
SUCCEEDED, CANCELLED = 1, 3


@pytest.mark.fault("F21")
@pytest.mark.parametrize("pool", ["inline", pytest.param("process", marks=pytest.mark.slow)])
async def test_two_hosts_in_one_process_never_run_the_same_operation_while_one_stops(
    unruly: Unruly, diary: Diary, tables: Tables, pool: Literal["inline", "process"]
) -> None:  # F21
    """Both serve the same queue; one stops without any patience midway. Each operation is done once, by one of them."""
    async with unruly.ops, unruly.ops.host(pool=pool, workers=1):
        leaving = unruly.ops.host(pool=pool, workers=1)
        await leaving.start()
        await eventually(lambda: not leaving.pending(), 20, "its worker is heated")
        await unruly.brief.submit_many([(f"{number}",) for number in range(MANY)])
        await ended(tables, MANY // 4)
        await leaving.stop(grace=0.0)
        await ended(tables, MANY)
    assert Counter(line.name for line in diary.lines("done")) == Counter(f"{number}" for number in range(MANY))
    assert {attempt for (attempt,) in await tables.rows("select attempt from opwright.outcomes")} == {1}
    await check_nothing_is_lost(tables)


@pytest.mark.slow
@pytest.mark.fault("F22")
async def test_what_has_a_lease_cannot_be_retried(unruly: Unruly, diary: Diary, tables: Tables, tmp_path: Path) -> None:  # F22
    """Running, in the name of a frozen host, and running again: an operator is refused, and nothing more is run."""
    async with unruly.ops:
        with short(tables.url, tmp_path, "frozen") as frozen:
            await frozen.ready()
            held = await unruly.hold.submit("held")
            await diary.wait("start", "held")
            await refused(held)
            await frozen.freeze()
            await refused(held)
            with short(tables.url, tmp_path, "heir") as heir:
                await heir.ready()
                await diary.wait("start", "held", 2, seconds=20)
                await refused(held)
                diary.release("held")
                await held.result(20)
    assert await tables.count("operations") == 1
    assert len(diary.lines("start", "held")) == 2
    await check_nothing_is_lost(tables)


async def refused(operation: Handle[int]) -> None:
    with pytest.raises(InvalidOperation, match="has not ended"):
        await operation.retry()


@pytest.mark.fault("F22")
@pytest.mark.parametrize("key", ["one", None])
async def test_of_many_presses_of_retry_one_counts(unruly: Unruly, tables: Tables, key: str | None) -> None:  # F22
    """All at the same moment: one more run, and the others are told which one."""
    async with unruly.ops:
        async with unruly.ops.host(pool="inline"):
            failed = await unruly.flaky.options(key=key).submit("pressed", failures=1)
            with pytest.raises(OperationFailed):
                await failed.result(20)
        presses = await asyncio.gather(*(unruly.ops.handle(failed.id).retry() for _ in range(10)), return_exceptions=True)
        (again,) = [answer for answer in presses if isinstance(answer, Handle)]
        assert [answer.retry for answer in presses if isinstance(answer, AlreadyRetried)] == [again.id] * 9
        async with unruly.ops.host(pool="inline"):
            assert await again.result(20) == 2
    assert await tables.count("operations") == 2
    await check_nothing_is_lost(tables)


@pytest.mark.fault("F23")
async def test_a_cancel_that_races_the_end_leaves_one_outcome(
    unruly: Unruly, diary: Diary, tables: Tables, tmp_path: Path, seed: int
) -> None:  # F23
    """Cancelled from elsewhere before, while, and after they run: each ends once, and CANCELLED is only what was not done.

    The host works from the front, the cancels come in waves from the back: however fast either is, each wave meets the host.
    """
    chance = random.Random(seed)
    order = sorted(range(MANY), key=lambda number: (number % WAVES, chance.uniform(-20, 20) - number))
    async with unruly.ops:
        handles = await unruly.brief.submit_many([(f"{number}",) for number in range(MANY)])
        answers = {number: await handles[number].cancel() for number in order[:WAVES]}
        with short(tables.url, tmp_path, workers=2) as host:
            await host.ready()
            await diary.wait("done", "0", seconds=20)
            answers |= {number: await handles[number].cancel() for number in order[WAVES:]}
            await ended(tables, MANY)
    outcomes = dict(await tables.rows("select operation, status from opwright.outcomes"))
    done = Counter(line.name for line in diary.lines("done"))
    for number, handle in enumerate(handles):
        assert (outcomes[handle.id], done[f"{number}"]) in {(SUCCEEDED, 1), (CANCELLED, 0)}
        assert answers[number] or outcomes[handle.id] == SUCCEEDED, "it was told that nothing was cancelled"
    assert set(outcomes.values()) == {SUCCEEDED, CANCELLED}
    await check_nothing_is_lost(tables)


@pytest.mark.fault("F23")
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_cancel_reaches_a_host_that_can_only_poll(
    unruly: Unruly, diary: Diary, tables: Tables, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # F23
    """Nothing wakes it, as behind a pooler: a heartbeat later what runs is interrupted."""
    loop = asyncio.get_running_loop()
    async with unruly.ops:
        with short(f"{tables.url}?pooled=true", tmp_path, heartbeat=HEARTBEAT) as host:
            await host.ready()
            running = await unruly.linger.submit("running")
            await diary.wait("start", "running")
            asked = loop.time()
            assert await running.cancel()
            await diary.wait("cancelled", "running")
            took = loop.time() - asked
            with pytest.raises(OperationCancelled):
                await running.result(10)
            assert host.events("watcher.connected") == []
    with capsys.disabled():
        sys.stdout.write(f"\ncancelled {took:.2f} s after it was asked, with a heartbeat of {HEARTBEAT:g} s and nothing else\n")


@pytest.mark.fault("F24")
@pytest.mark.parametrize("way", ["unseen", *(pytest.param(way, marks=pytest.mark.slow) for way in ("worker", "host"))])
async def test_what_was_to_be_cancelled_is_not_run_again_after_a_crash(
    unruly: Unruly, diary: Diary, tables: Tables, tmp_path: Path, way: str
) -> None:  # F24
    """Its worker is killed when it has been asked, or before its host knew of the request; or the host is killed with it open."""
    async with unruly.ops:
        with short(tables.url, tmp_path, "first", kill_after=600) as first:
            await first.ready()
            operation = await unruly.stubborn.options(retries=3).submit("deaf")
            worker = (await diary.wait("start", "deaf")).pid
            if way != "worker":
                await first.freeze()
            assert await operation.cancel()
            await crash(way, first, worker, diary)
            with short(tables.url, tmp_path, "second") as second:
                await second.ready()
                with pytest.raises(OperationCancelled):
                    await operation.result(20)
                await stays(lambda: len(diary.lines("start", "deaf")) == 1, 0.5)
                assert await operation.status() is Status.CANCELLED
    await check_nothing_is_lost(tables)
    assert await tables.count("cancel_requests") == 0


async def crash(way: str, host: HostProcess, worker: int, diary: Diary) -> None:
    if way == "host":
        host.kill()
        return
    if way == "worker":
        await diary.wait("asked", "deaf")
    send([worker], signal.SIGKILL)
    host.signal(signal.SIGCONT)

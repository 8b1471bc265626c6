"""Hosts and workers that stand still for longer than the lease, and then go on as if nothing had happened."""

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from opwright import OperationCancelled
from tests.faults.kit import LEASE, check_nothing_is_lost, ended, send, short, started
from tests.faults.unruly import Unruly
from tests.kit.diary import Diary
from tests.kit.processes import HostProcess, all_ended
from tests.kit.tables import ALIVE, DEAD, DEATH, Tables
from tests.kit.waiting import eventually, stays

slow = pytest.mark.slow

LONG = 2 * LEASE  # seconds that somebody holds the interpreter


async def frozen_whole(host: HostProcess) -> list[int]:
    """Stop a host and all its workers, so that they stand as after a power cut: nobody answers, every connection is open."""
    pids = host.children()
    await host.freeze()
    send(pids, signal.SIGSTOP)
    return pids


@pytest.mark.fault("F2")
@pytest.mark.parametrize("way", ["writes", *(pytest.param(way, marks=slow) for way in ("succeeds", "fails", "waits", "tells"))])
async def test_nothing_that_a_zombie_writes_lands(
    unruly: Unruly, diary: Diary, tables: Tables, tmp_path: Path, way: str
) -> None:  # F2
    """Stopped past its lease and taken over, host and worker wake up: whatever the late attempt does, only the fresh one counts.

    A worker that writes in a transaction of its own is told by StaleClaim, and what it wrote is undone. Its slot falls free once.
    """
    async with unruly.ops:
        with short(tables.url, tmp_path, "zombie") as zombie:
            await zombie.ready()
            operation = await unruly.zombie.submit("late", way)
            stale = (await diary.wait("start", "late")).pid
            with short(tables.url, tmp_path, "heir", lease=2 * LEASE) as heir:  # it is not to be taken over in its turn
                await heir.ready()
                await frozen_whole(zombie)
                fresh = (await diary.wait("start", "late", 2, seconds=20)).pid
                standing = await tables.rows("select operation, token, host, deaths from opwright.claimed")
                diary.release("late", stale)
                send([stale], signal.SIGCONT)
                await diary.wait("stale" if way == "writes" else "end", "late")
                zombie.signal(signal.SIGCONT)
                await zombie.event("host.registered", 2)
                assert await tables.rows("select operation, token, host, deaths from opwright.claimed") == standing
                assert standing[0][2:] == (heir.id, 1)
                assert await tables.counts() | {"hosts": 0} == {
                    "operations": 1, "claimed": 1, "operationstatus": 1, "hosts": 0
                }  # fmt: skip
                diary.release("late", fresh)
                await eventually(lambda: len(diary.lines("end", "late")) == 2, 10, "the fresh attempt ends")
                if way in {"succeeds", "tells", "writes"}:
                    assert await operation.result(10) == fresh
                if way == "waits":
                    assert await operation.cancel()
                after = await unruly.zombie.submit("after", "succeeds")
                diary.release("after")
                await after.result(20)
    assert await tables.column("select number from charges") == ([fresh] if way == "writes" else [])
    assert {host for (host,) in await tables.rows("select host from opwright.outcomes")} <= {heir.id, zombie.id, None}
    assert await tables.value(f"select count(*) from opwright.operationstatus where kind = {DEATH}") == 1
    assert await tables.value("select count(*) from opwright.slots where until is null") == 0
    await check_nothing_is_lost(tables)


@slow
@pytest.mark.fault("F3")
async def test_a_host_whose_own_pool_holds_the_interpreter_past_its_lease_ends_nothing_twice(
    unruly: Unruly, diary: Diary, tables: Tables, tmp_path: Path
) -> None:  # F3
    """It cannot renew; another host takes over and runs it again. The only outcome is that one's: the late answer is stale."""
    async with unruly.ops:
        with short(tables.url, tmp_path, "heir") as heir:
            await heir.ready()
            busy = await unruly.hold.submit("busy")
            await diary.wait("start", "busy")
            with short(tables.url, tmp_path, "starved", pool="inline") as starved:
                await started(starved)
                operation = await unruly.hog.submit("hog", 3 * LONG)
                first = await diary.wait("start", "hog")
                diary.release("busy")
                second = await diary.wait("start", "hog", 2, seconds=20)
                assert [first.pid, second.pid] == [starved.pid, *heir.children()]
                assert await operation.result(20) == second.pid
                old = (await starved.event("host.lost", seconds=20)).fields["host"]
                await starved.event("host.registered", 2)
                assert await tables.hosts() == {old: DEAD, heir.id: ALIVE, starved.id: ALIVE}
                ends = await tables.rows(f"select host, status, attempt from opwright.outcomes where operation <> {busy.id}")
                assert ends == [(heir.id, 1, 2)]
                heir.terminate()
                assert await heir.ended() == 0
                assert await (await unruly.whoami.submit()).result(20) == starved.pid
    await check_nothing_is_lost(tables)


@slow
@pytest.mark.fault("F3", "F13")
async def test_a_worker_that_holds_the_interpreter_past_the_lease_costs_nobody_his_lease(
    unruly: Unruly, diary: Diary, tables: Tables, tmp_path: Path
) -> None:  # F3
    """Its host renews beside it: nothing is taken over, and the operation is done once. One that is cancelled is killed."""
    async with unruly.ops:
        with (
            short(tables.url, tmp_path, "one", lease=2 * LEASE, kill_after=0.5) as one,
            short(tables.url, tmp_path, "two", lease=2 * LEASE) as two,
        ):
            await one.ready()
            await two.ready()
            handles = [await unruly.hog.submit(f"hog-{number}", 2 * LONG) for number in range(2)]
            await asyncio.gather(*(handle.result(30) for handle in handles))
            assert await tables.hosts() == {one.id: ALIVE, two.id: ALIVE}
            assert await tables.attempts() == {(1, 1): 2}
            two.terminate()
            assert await two.ended() == 0
            deaf = await unruly.hog.submit("deaf", 60)
            pid = (await diary.wait("start", "deaf")).pid
            assert await deaf.cancel()
            with pytest.raises(OperationCancelled, match="cancelled by request"):
                await deaf.result(20)
            await all_ended([pid], 10)
    assert len(diary.lines("start")) == 3
    await check_nothing_is_lost(tables)


@pytest.mark.fault("F10")
@pytest.mark.parametrize("way", ["group", pytest.param("host", marks=slow), pytest.param("power", marks=slow)])
async def test_what_a_dead_machine_held_is_run_again_within_its_lease(  # noqa: PLR0917 - pytest hands over by name
    unruly: Unruly, diary: Diary, tables: Tables, tmp_path: Path, way: str, capsys: pytest.CaptureFixture[str]
) -> None:  # F10
    """The host is killed, or it and all its workers at once, or all stand still as in a power cut. No worker outlives its host.

    A worker dies with its host also while its trigger holds the interpreter, so that none of its threads can notice.
    """
    async with unruly.ops:
        with short(tables.url, tmp_path, "doomed", workers=2) as doomed:
            await doomed.ready()
            held = await unruly.hold.submit("held")
            await diary.wait("start", "held")
            await unruly.hog.options(recoveries=0).submit("hog", 600)
            await diary.wait("start", "hog")
            with short(tables.url, tmp_path, "heir") as heir:
                await heir.ready()
                workers = doomed.children()
                begun = asyncio.get_running_loop().time()
                if way == "power":
                    await frozen_whole(doomed)
                else:
                    doomed.kill()
                if way == "group":
                    for worker in workers:
                        with suppress(ProcessLookupError):  # it has died with its host already
                            send([worker], signal.SIGKILL)
                if way != "power":
                    await all_ended(workers, 5)
                diary.release("held")
                assert await held.result(30) in heir.children()
                took = asyncio.get_running_loop().time() - begun
                await ended(tables, 2)
                assert await tables.hosts() == {doomed.id: DEAD, heir.id: ALIVE}
    with capsys.disabled():
        sys.stdout.write(f"\n{way}: run again {took:.1f} s after the death, with a lease of {LEASE:g} s\n")
    assert await tables.attempts() == {(1, 2): 1, (2, 1): 1}
    await check_nothing_is_lost(tables)


@pytest.mark.fault("F2", "F16")
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # on SQLite such a transaction keeps everybody waiting
async def test_an_open_transaction_of_a_frozen_worker_holds_up_nobody_elses_rescue(
    unruly: Unruly, diary: Diary, tables: Tables, tmp_path: Path
) -> None:  # F2, F16
    """It stands still between its end and the COMMIT, with the claim's row locked. Its neighbours are run again all the same.

    When it goes on, its COMMIT decides: the operation has ended, and is not run again.
    """
    async with unruly.ops:
        with short(tables.url, tmp_path, "frozen", workers=2) as frozen:
            await frozen.ready()
            undecided = await unruly.undecided.submit("undecided")
            writer = (await diary.wait("start", "undecided")).pid
            innocent = await unruly.hold.submit("innocent")
            await diary.wait("start", "innocent")
            with short(tables.url, tmp_path, "heir") as heir:
                await heir.ready()
                await frozen_whole(frozen)
                await diary.wait("start", "innocent", 2, seconds=20)
                diary.release("innocent")
                assert await innocent.result(20) in heir.children()
                await stays(lambda: len(diary.lines("start", "undecided")) == 1, 1.0)
                assert heir.events("service.failed") == []
                diary.release("undecided")
                send([writer], signal.SIGCONT)
                assert await undecided.result(20) == writer
    assert len(diary.lines("start", "undecided")) == 1
    await check_nothing_is_lost(tables)

"""Worker processes: reused, counted, watched, and replaced when they die."""

import asyncio
import os
import signal

import msgspec
import pytest

from opwright import Host, OperationFailed
from opwright.model.worker import Worker
from opwright.telemetry import recorded
from tests.kit.application import Application
from tests.kit.diary import Diary
from tests.kit.processes import all_ended, descendants
from tests.kit.tables import DEATH, Tables
from tests.kit.waiting import eventually

NOTICED = 1.0  # seconds


async def heated(host: Host) -> Host:
    """The host, once every worker is ready."""
    await eventually(lambda: not host.pending(), 20, "every worker is heated")
    return host


def pids(workers: tuple[Worker, ...]) -> set[int]:
    return {worker.pid for worker in workers if worker.pid is not None}


async def test_a_killed_worker_is_replaced_and_its_operation_runs_again(
    application: Application, diary: Diary, tables: Tables
) -> None:
    """Noticed within a second, charged one recovery and no retry; what ran beside it never knew."""
    async with application.ops.host(workers=2) as host:
        await heated(host)
        victim, neighbour = await application.hold.submit("victim"), await application.hold.submit("neighbour")
        await diary.wait("start", "neighbour")
        pid = (await diary.wait("start", "victim")).pid
        with recorded() as events:
            os.kill(pid, signal.SIGKILL)
            await eventually(lambda: "worker.died" in [name for name, _ in events], NOTICED, "the death is noticed")
            died = next(fields for name, fields in events if name == "worker.died")
            assert (died["pid"], died["operations"]) == (pid, (victim.id,))
            again = await diary.wait("start", "victim", count=2)
        assert len(host.workers()) == 2
        assert again.pid != pid
        assert pids(host.workers()) == {again.pid, *diary.pids("neighbour")}
        spent = await tables.rows(f"select errors, deaths from opwright.claimed where operation = {victim.id}")
        assert spent == [(0, 1)]
        diary.release("victim")
        diary.release("neighbour")
        assert await victim.result(10) == again.pid
        assert [await neighbour.result(10)] == diary.pids("neighbour")
    assert (await tables.rows(f"select status, attempt from opwright.outcomes where operation = {victim.id}")) == [(1, 2)]
    ((kind, text),) = await tables.notes(victim.id)
    assert kind == DEATH
    assert f"worker {pid} was killed by signal 9 (SIGKILL)" in text
    assert await tables.notes(neighbour.id) == []


async def test_an_operation_that_kills_its_worker_each_time_ends_failed(
    application: Application, diary: Diary, tables: Tables
) -> None:
    """After three recoveries it is FAILED, whatever retries are left; its neighbours keep their budgets."""
    async with application.ops.host(workers=3) as host:
        await heated(host)
        neighbours = [await application.hold.submit(name) for name in ("left", "right")]
        await diary.wait("start", "left")
        await diary.wait("start", "right")
        poison = await application.poison.options(retries=5).submit("poison")
        with pytest.raises(OperationFailed, match=r"its worker died 4 times; the last time: worker .* killed by signal 9"):
            await poison.result(20)
        assert len(set(diary.pids("poison"))) == 4
        await eventually(lambda: len(host.free()) == 1, 20, "the last dead worker is replaced")
        for name in ("left", "right"):
            diary.release(name)
        assert [await one.result(10) for one in neighbours] == diary.pids("left") + diary.pids("right")
    assert [kind for kind, _ in await tables.notes(poison.id)] == [DEATH] * 3
    assert await tables.attempts() == {(1, 1): 2, (2, 4): 1}


async def test_exactly_so_many_workers_run_all_operations(application: Application) -> None:
    """A worker serves operation after operation; none is spawned beside those that were asked for."""
    before = set(descendants(os.getpid()))
    with recorded() as events:
        async with application.ops.host(workers=2) as host:
            await heated(host)
            workers = pids(host.workers())
            handles = await application.whoami.submit_many([()] * 200)
            served = await asyncio.gather(*(handle.result(20) for handle in handles))
            assert set(served) == workers
            assert set(descendants(os.getpid())) - before == workers
    assert [name for name, _ in events].count("worker.started") == 2
    await all_ended(workers, 1)


async def test_slow_operations_in_n_workers_take_the_time_of_one(application: Application, diary: Diary) -> None:
    """Four workers are four at a time: each has begun before any may end."""
    names = [f"{number}" for number in range(4)]
    async with application.ops.host(workers=len(names)) as host:
        await heated(host)
        handles = await application.hold.submit_many([(name,) for name in names])
        begun = [(await diary.wait("start", name)).pid for name in names]
        assert set(begun) == pids(host.workers())
        for name in names:
            diary.release(name)
        assert await asyncio.gather(*(handle.result(20) for handle in handles)) == begun


async def test_workers_are_pending_then_free_then_active(application: Application, diary: Diary) -> None:
    """The three sets are disjoint and together all workers; ``last_touched`` moves with each move and only then."""
    async with application.ops.host(workers=2) as host:
        pending = {worker.name: worker for worker in host.pending()}
        assert (len(pending), host.free(), host.active()) == (2, (), ())
        await heated(host)
        free = {worker.name: worker for worker in host.free()}
        assert (free.keys(), host.active()) == (pending.keys(), ())
        assert all(free[name].last_touched > pending[name].last_touched for name in free)

        with recorded() as events:
            operation = await application.hold.submit("one")
            await diary.wait("start", "one")
            (active,), (idle,) = host.active(), host.free()
        assert {active.name, idle.name} == free.keys()
        assert active.operations == (operation.id,)
        assert active.pid == diary.pids("one")[0]
        assert active.last_touched > free[active.name].last_touched
        assert idle.last_touched == free[idle.name].last_touched
        assert "worker.started" not in [name for name, _ in events], "a worker was free, and yet another was spawned"
        assert msgspec.to_builtins(active)["lastTouched"] == active.last_touched

        diary.release("one")
        await operation.result(10)
        assert host.active() == ()
        after = {worker.name: worker for worker in host.free()}
        assert after[active.name].last_touched > active.last_touched
        assert after[active.name].finished == 1
        assert after[idle.name] == idle

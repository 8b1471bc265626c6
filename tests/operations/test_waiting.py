"""Waiting for ends: who is asked for, how often, and who is told."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from opwright import Handle, OperationCancelled, Opwright
from opwright.errors import StoreUnavailable
from opwright.operations import waiting as waiting_module
from opwright.operations.waiting import Waiting
from opwright.service import Service
from opwright.store.operations import Ending, Operations
from opwright.store.postgresql import PostgresEngine
from opwright.watch.postgresql import PostgresWatcher
from tests.contract.kit import query
from tests.operations.kit import Work, eventually


async def double(number: int) -> int:
    return 2 * number


async def _number(handle: Handle[int]) -> int:
    return await handle.result()


async def test_those_who_wait_long_stand_in_nobodys_way(ops: Opwright, monkeypatch: pytest.MonkeyPatch) -> None:
    """More wait than one look asks about, and the first ones never end: the last one hears of its end all the same."""
    monkeypatch.setattr(waiting_module, "MOST_AT_ONCE", 10)
    trigger = ops.operation(double)
    never = await trigger.options(delay=10_000).submit_many([(number,) for number in range(15)])
    patient = [asyncio.ensure_future(_number(handle)) for handle in never]
    await asyncio.sleep(0)
    waiting = await ops.client.waiting()

    async def all_wait() -> bool:
        return len(waiting._waiters) == 15

    await eventually(all_wait, "all wait")
    last = await trigger.submit(1)
    await last.cancel()
    with pytest.raises(OperationCancelled):
        await last.result(timeout=15)
    for each in patient:
        each.cancel()
    await asyncio.gather(*patient, return_exceptions=True)


async def test_nobody_polls_for_what_nobody_waits_for(ops: Opwright, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gave up is forgotten: the database is asked no more."""
    handle = await ops.operation(double).submit(1)
    with pytest.raises(TimeoutError):
        await handle.result(timeout=0.05)
    waiting = await ops.client.waiting()
    assert waiting._waiters == {}

    async def asked(self: Operations, operations: Any) -> Any:
        raise AssertionError(f"asked for {operations}")

    monkeypatch.setattr(Operations, "ended", asked)
    await Waiting.run_once(waiting)


class Questions:
    """Counts for how many ends the database is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows = 0
        self._ask = Operations.ended
        questions = self

        async def asked(self: Operations, operations: Sequence[int]) -> dict[int, Ending]:
            questions.rows += len(operations)
            return await questions._ask(self, operations)

        monkeypatch.setattr(Operations, "ended", asked)


async def test_where_thousands_wait_the_database_is_asked_for_a_bounded_number(
    ops: Opwright, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often they are told that something has ended somewhere; the last end is found all the same."""
    many = 5000
    trigger = ops.operation(double)
    handles = await trigger.options(delay=10_000).submit_many([(number,) for number in range(many)])
    waiters = [asyncio.ensure_future(_number(handle)) for handle in handles]
    waiting = await ops.client.waiting()
    await eventually(lambda: _all_known(waiting, many), "all wait, and were looked for")
    questions, loop = Questions(monkeypatch), asyncio.get_running_loop()
    begun = loop.time()
    store = await ops.client.store()
    for handle in handles[:100]:
        assert await store.operations.cancel(handle.id, "no longer wanted") == "cancelled"
        waiting._told()
    await asyncio.wait(waiters[:100])
    assert questions.rows <= waiting_module.ROWS_A_SECOND * (loop.time() - begun) + many
    for waiter in waiters[100:]:
        waiter.cancel()
    found = await asyncio.gather(*waiters, return_exceptions=True)
    assert all(isinstance(one, OperationCancelled) for one in found[:100])


async def _all_known(waiting: Waiting, many: int) -> bool:
    return len(waiting._waiters) == many and not waiting._fresh


async def test_whoever_comes_is_looked_up_alone(ops: Opwright, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is what has ended in this process; those who have waited for long are not asked for each time."""
    monkeypatch.setattr(waiting_module, "SHORTEST", 600)
    monkeypatch.setattr(waiting_module, "LONGEST", 600)
    trigger = ops.operation(double)
    patient = await trigger.options(delay=10_000).submit_many([(number,) for number in range(100)])
    waiters = [asyncio.ensure_future(_number(handle)) for handle in patient]
    waiting = await ops.client.waiting()
    if waiting._watcher is not None:
        waiting._watcher._changed = lambda: None  # type: ignore[attr-defined]  # it listens from now on: a reason to look at all
    await eventually(lambda: _all_known(waiting, 100), "all wait, and were looked for")
    questions = Questions(monkeypatch)
    handles = await trigger.submit_many([(number,) for number in range(10)])
    async with ops.host(pool="inline"):
        assert [await handle.result(10) for handle in handles] == [2 * number for number in range(10)]
    assert questions.rows <= 30
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)


async def test_the_connection_that_listens_is_let_go_when_nobody_waits(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while; whoever waits then has another one, and is told of ends as before."""
    monkeypatch.setattr(waiting_module, "SHORTEST", 600)
    monkeypatch.setattr(waiting_module, "LONGEST", 600)
    monkeypatch.setattr(waiting_module, "LINGER", 0.1)
    ops, other = Opwright(postgres_database), Opwright(postgres_database)
    work, elsewhere = Work(ops), Work(other)
    async with ops, other, ops.host(pool="inline", heartbeat=60):
        for _ in range(2):
            work.begun.clear()
            work.go.clear()
            handle = await elsewhere.trigger.submit()
            await asyncio.wait_for(work.begun.wait(), 10)
            waiter = asyncio.ensure_future(handle.result())
            await eventually(lambda: _told(ops), "the host knows that somebody waits")
            await eventually(lambda: _looked(other, 1), "who waits listens, and has looked")
            await eventually(lambda: _one_listens(other), "one connection listens; those that asked before are gone")
            work.go.set()
            assert await asyncio.wait_for(waiter, 20) == "done"
            await eventually(lambda: _deaf(other), "nobody listens any more")


async def _listening(ops: Opwright) -> int:
    """How many connections listen for ends."""
    store = await ops.client.store()
    assert isinstance(store.engine, PostgresEngine)
    nameless = "select count(*) from pg_stat_activity where datname = current_database() and application_name = ''"
    ((listeners,),) = await query(store, nameless)
    return int(listeners) - 2  # one listens for what there is to do, one asks this


async def _one_listens(ops: Opwright) -> bool:
    return await _listening(ops) == 1


async def _deaf(ops: Opwright) -> bool:
    return await _listening(ops) == 0


async def test_an_end_in_another_process_is_told_to_who_waits_for_it(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not found by polling: after the first look there is none for ten minutes."""
    monkeypatch.setattr(waiting_module, "SHORTEST", 600)
    monkeypatch.setattr(waiting_module, "LONGEST", 600)
    ops, other = Opwright(postgres_database), Opwright(postgres_database)
    work, elsewhere = Work(ops), Work(other)
    async with ops, other, ops.host(pool="inline", heartbeat=60):
        never = await elsewhere.trigger.options(delay=10_000).submit()
        patient = asyncio.ensure_future(never.result())
        await eventually(lambda: _told(ops), "the host knows that somebody waits")
        await eventually(lambda: _looked(other, 1), "who waits is connected, and has looked")
        handle = await elsewhere.trigger.submit()
        await asyncio.wait_for(work.begun.wait(), 10)
        waiter = asyncio.ensure_future(handle.result())
        await eventually(lambda: _looked(other, 2), "it was looked for, and had not ended")
        work.go.set()
        assert await asyncio.wait_for(waiter, 20) == "done"
        patient.cancel()
        await asyncio.gather(patient, return_exceptions=True)


async def test_who_waits_tells_of_an_outage_in_one_line(
    postgres_database: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks and who listens have the same trouble, and tell it together."""
    ops = Opwright(postgres_database)
    work = Work(ops)
    async with ops:
        handle = await work.trigger.options(delay=10_000).submit()
        waiter = asyncio.ensure_future(handle.result())
        waiting = await ops.client.waiting()
        await eventually(lambda: _all_known(waiting, 1), "it has looked")
        await eventually(lambda: _hears(ops), "it listens")
        engine = waiting._store.engine
        assert isinstance(engine, PostgresEngine)

        async def away(*_: object, **__: object) -> None:
            raise StoreUnavailable("away")

        monkeypatch.setattr(engine, "run", away)
        monkeypatch.setattr(engine, "listen", away)
        watcher = waiting._watcher
        assert isinstance(watcher, PostgresWatcher)
        watcher._connection.terminate()
        for service in (waiting, watcher):
            service.wake()
        await eventually(lambda: _failing(waiting, watcher), "both have failed")
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
    (told,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert told.endswith(": away; trying again")


async def test_who_no_longer_waits_does_not_tell_that_the_database_is_back(
    ops: Opwright, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has asked nothing since."""
    caplog.set_level("INFO", "opwright")
    handle = await Work(ops).trigger.options(delay=10_000).submit()
    waiting = await ops.client.waiting()

    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(waiting._store.engine, "run", away)
        waiter = asyncio.ensure_future(handle.result())
        await eventually(lambda: _failing(waiting), "it has asked in vain")
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        await eventually(lambda: _well(waiting), "its next step, for nobody")
    assert [record.message for record in caplog.records] == ["waiting: away; trying again"]


async def _well(service: Service) -> bool:
    return not service._failures


async def _failing(*services: Service) -> bool:
    return all(service._failures for service in services)


async def _told(ops: Opwright) -> bool:
    engine = (await ops.client.store()).engine
    assert isinstance(engine, PostgresEngine)
    return bool(engine._waited_for)


async def _hears(ops: Opwright) -> bool:
    """Whether the connection that listens is there, and has heard itself."""
    watcher = (await ops.client.waiting())._watcher
    assert isinstance(watcher, PostgresWatcher)
    return watcher._connection is not None and not watcher._in_step


async def _looked(ops: Opwright, waiters: int) -> bool:
    """Whether so many wait, and the next look for them is minutes away."""
    waiting = await ops.client.waiting()
    settled = not waiting._in_step and not waiting._urgent and waiting._look_at > asyncio.get_running_loop().time() + 60
    return len(waiting._waiters) == waiters and settled and await _hears(ops)

"""A host: started, stopped, started again, next to others."""

import asyncio
import threading

import pytest

from opwright import ConfigurationError, Opwright, Status, StoreUnavailable
from opwright.model.host import HostState
from opwright.store.hosts import Hosts
from opwright.telemetry import recorded
from tests.contract.kit import query


async def double(number: int) -> int:
    return 2 * number


@pytest.fixture
def ops(database_url: str) -> Opwright:
    """An application with one trigger."""
    made = Opwright(database_url)
    made.operation(double)
    return made


async def hosts(ops: Opwright) -> list[HostState]:
    """What the hosts' rows say."""
    return [host.state for host in await (await ops.client.store()).hosts.all()]


async def test_a_block_of_a_host_does_what_was_submitted(ops: Opwright) -> None:
    """Before it and inside it; afterwards its row says that it stopped."""
    async with ops:
        before = await ops.submit("double", number=1)
        async with ops.host(pool="inline"):
            inside = await ops.submit("double", number=2)
            assert [await each.result(timeout=10) for each in (before, inside)] == [2, 4]
        assert await hosts(ops) == [HostState.STOPPED]


async def test_starting_twice_is_starting_once(ops: Opwright) -> None:
    """One row, one set of services."""
    async with ops:
        host = ops.host(pool="inline")
        await host.start()
        number = host.id
        await host.start()
        assert host.id == number
        assert await hosts(ops) == [HostState.ALIVE]
        await host.stop()


async def test_stopping_is_harmless_before_and_after(ops: Opwright) -> None:
    """Never started, or stopped already."""
    async with ops:
        host = ops.host(pool="inline")
        await host.stop()
        await host.start()
        await host.stop()
        await host.stop()
        assert await hosts(ops) == [HostState.STOPPED]


async def test_a_stopped_host_may_be_started_again(ops: Opwright) -> None:
    """Under a new row."""
    async with ops:
        host = ops.host(pool="inline")
        for number in (1, 2):
            await host.start()
            assert await (await ops.submit("double", number=number)).result(timeout=10) == 2 * number
            await host.stop()
        assert await hosts(ops) == [HostState.STOPPED, HostState.STOPPED]


async def test_a_host_opens_and_closes_what_nobody_opened(ops: Opwright) -> None:
    """``async with ops.host()`` alone: afterwards no connection and no thread is left."""
    before = set(threading.enumerate())
    async with ops.host(pool="inline"):
        assert await (await ops.submit("double", number=1)).result(timeout=10) == 2
    assert ops.client._stores == {}
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("opwright sqlite")]


async def test_a_host_leaves_open_what_it_did_not_open(ops: Opwright) -> None:
    """The application goes on in its own block."""
    async with ops:
        store = await ops.client.store()
        async with ops.host(pool="inline"):
            pass
        assert await ops.client.store() is store


async def test_two_hosts_of_one_application_do_not_disturb_each_other(ops: Opwright) -> None:
    """In one loop: the first stops, the second goes on."""
    first, second = ops.host(pool="inline", heartbeat=0.1), ops.host(pool="inline", heartbeat=0.1)
    await first.start()
    await second.start()
    await first.stop()
    handle = await ops.submit("double", number=21)
    try:
        assert await handle.result(timeout=10) == 42
    finally:
        await second.stop()
        await ops.client.close()


async def test_what_runs_may_finish_within_the_grace(ops: Opwright) -> None:
    """A stop waits for it, and its result is written before the host says good-bye."""
    begun, go = asyncio.Event(), asyncio.Event()

    @ops.operation
    async def work() -> str:
        begun.set()
        await go.wait()
        return "done"

    async with ops:
        host = ops.host(pool="inline")
        await host.start()
        handle = await work.submit()
        await asyncio.wait_for(begun.wait(), 10)
        stopping = asyncio.create_task(host.stop(grace=20))
        await asyncio.sleep(0)
        go.set()
        await asyncio.wait_for(stopping, 10)
        assert await handle.status() is Status.SUCCEEDED


async def test_what_runs_longer_than_the_grace_is_handed_back_uncharged(ops: Opwright) -> None:
    """Interrupted by the stop: ready again, no error and no death on its account."""
    begun = asyncio.Event()

    @ops.operation
    async def work() -> None:
        begun.set()
        await asyncio.Event().wait()

    async with ops:
        host = ops.host(pool="inline")
        await host.start()
        handle = await work.submit()
        await asyncio.wait_for(begun.wait(), 10)
        await host.stop(grace=0)
        found = await handle.get()
        assert (found.status, found.attempt) == (Status.PENDING, 1)
        assert await query(await ops.client.store(), "select errors, deaths from opwright.ready") == [(0, 0)]


async def test_what_had_not_begun_is_handed_back_at_once(ops: Opwright) -> None:
    """One slot is busy; what waits goes back to the others while the host still stops."""
    begun, go = asyncio.Event(), asyncio.Event()

    @ops.operation
    async def work() -> None:
        begun.set()
        await go.wait()

    async with ops:
        host = ops.host(pool="inline", slots=1)
        await host.start()
        await work.submit()
        await asyncio.wait_for(begun.wait(), 10)
        waiting = await ops.submit("double", number=1)
        stopping = asyncio.create_task(host.stop(grace=20))
        try:
            async with ops.host(pool="inline"):
                assert await waiting.result(timeout=10) == 2
        finally:
            go.set()
            await asyncio.wait_for(stopping, 10)


async def test_a_host_tells_of_its_start_and_its_stop(ops: Opwright) -> None:
    """For whoever listens."""
    with recorded() as events:
        async with ops, ops.host(pool="inline") as host:
            number = host.id
    told = [(name, fields) for name, fields in events if name in {"host.registered", "host.started", "host.stopped"}]
    assert told == [(name, {"host": number}) for name in ("host.registered", "host.started", "host.stopped")]


async def test_workers_can_be_looked_at(ops: Opwright) -> None:
    """The three sets are disjoint and together are all."""
    begun, go = asyncio.Event(), asyncio.Event()

    @ops.operation
    async def work() -> None:
        begun.set()
        await go.wait()

    async with ops, ops.host(pool="inline", slots=3) as host:
        handle = await work.submit()
        await asyncio.wait_for(begun.wait(), 10)
        assert (len(host.workers()), len(host.pending()), len(host.free()), len(host.active())) == (3, 0, 2, 1)
        assert host.active()[0].operations == (handle.id,)
        go.set()
        await handle.result(timeout=10)


async def test_worker_processes_for_an_application_inside_a_function_are_refused(ops: Opwright) -> None:
    """They could not import it: a clear ConfigurationError, nothing registered, nothing left open, and inline works."""
    host = ops.host(pool="process")
    with pytest.raises(ConfigurationError, match=r"top level.*pool='inline'"):
        await host.start()
    left = dict(ops.client._stores)
    await host.stop()
    async with ops:
        assert await hosts(ops) == []
        async with ops.host(pool="inline"):
            assert await (await ops.submit("double", number=1)).result(timeout=10) == 2
    assert left == ops.client._stores == {}


async def test_a_host_refuses_triggers_whose_inputs_have_no_form(ops: Opwright) -> None:
    """At its start, by the name of the trigger; nothing was opened for it."""

    @ops.operation
    def bad(number: "Nowhere") -> None: ...  # type: ignore[name-defined] # noqa: F821 - that is what is wrong with it

    with pytest.raises(ConfigurationError, match="bad"):
        await ops.host(pool="inline").start()
    assert ops.client._stores == {}


async def test_a_host_serves_only_its_queues(ops: Opwright) -> None:
    """``queues=``: what lies elsewhere is for others."""
    trigger = ops.registry.get("double")
    async with ops:
        elsewhere = await trigger.options(queue="elsewhere").submit(1)
        here = await trigger.options(queue="here").submit(2)
        async with ops.host(pool="inline", queues=("here",)):
            assert await here.result(timeout=10) == 4
        assert await elsewhere.status() is Status.PENDING


async def test_a_failing_database_is_told_at_the_start() -> None:
    """No server there: an error, and no half-started host."""
    ops = Opwright("postgresql://postgres@127.0.0.1:1/nothing")
    host = ops.host(pool="inline")
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await host.start()
    await host.stop()


async def test_a_start_that_failed_keeps_nothing_open(ops: Opwright, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database went away between two steps of it: the next block opens and closes as if nothing had been."""

    async def refused(*_: object, **__: object) -> int:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(Hosts, "register", refused)
        with pytest.raises(StoreUnavailable):
            await ops.host(pool="inline").start()
    async with ops, ops.host(pool="inline"):
        assert await (await ops.submit("double", number=1)).result(timeout=10) == 2
    assert ops.client._stores == {}
    assert ops.client._wakers == []
    await ops.client.close()


async def test_a_start_that_is_cancelled_leaves_no_host_behind(ops: Opwright, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not go on to start by itself."""
    registering, left = asyncio.Event(), asyncio.Event()

    async def register(*_: object, **__: object) -> int:
        registering.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        return 0

    monkeypatch.setattr(Hosts, "register", register)
    async with ops:
        running = asyncio.create_task(ops.host(pool="inline").run())
        await asyncio.wait_for(registering.wait(), 10)
        running.cancel()
        await asyncio.wait({running})
        assert left.is_set()
        assert running.cancelled()

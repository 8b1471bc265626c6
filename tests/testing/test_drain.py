"""Carrying out what is ready, in the test's own process, by the real engine and without waiting for anything."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from opwright import ConfigurationError, Current, OperationFailed, Opwright, Status, UnknownTrigger
from opwright.testing import TurnedClock, drain, relocated, submitted
from tests.kit.tables import ALIVE, Tables
from tests.testing import shop
from tests.testing.shop import approve, break_, call, done, flaky, forever, publish, publish_now, render, urgent


async def test_what_is_ready_is_carried_out_in_order(ops: Opwright) -> None:
    """The order of claims: the most urgent first, then the oldest; one after the other."""
    await render.submit("a")
    await render.submit("b")
    await urgent.submit("c")
    drained = await drain(ops)
    assert done == ["c", "a", "b"]
    assert (drained.attempts, drained.counts) == (3, {Status.SUCCEEDED: 3})
    assert [operation.result for operation in drained.ended] == ['"c-640"', '"a-640"', '"b-640"']


async def test_what_operations_submit_is_carried_out_too(ops: Opwright) -> None:
    """Until nothing is left."""
    handle = await publish.submit("cat")
    assert (await drain(ops)).attempts == 3
    assert done == ["publish cat", "cat", "cat"]
    assert await handle.result() == 2


async def test_an_end_is_written_before_the_next_begins(ops: Opwright) -> None:
    """So what an operation reads about another does not depend on luck."""
    first = await render.submit("a")
    seen: list[Status] = []

    @ops.around
    def _look(_: Current) -> Iterator[None]:
        seen.append(first.status().now())
        yield

    await render.submit("b")
    try:
        await drain(ops, triggers=[render])
    finally:
        ops.registry.arounds = ()
    assert seen == [Status.PROCESSING, Status.SUCCEEDED]


async def test_an_empty_queue_is_drained_at_once(ops: Opwright) -> None:
    drained = await drain(ops)
    assert (drained.attempts, drained.ended) == (0, ())


async def test_synchronous_triggers_run_in_the_thread_of_the_test(ops: Opwright) -> None:
    """There they see its transactions and connections."""
    await render.submit("cat")
    await drain(ops)
    assert shop.threads == {threading.get_ident()}


def test_so_they_do_in_synchronous_tests(sync_ops: Opwright) -> None:
    render.submit("cat").now()
    assert drain(sync_ops).now().counts == {Status.SUCCEEDED: 1}
    assert shop.threads == {threading.get_ident()}


async def test_synchronous_code_may_drain_within_a_coroutine(ops: Opwright) -> None:
    """A helper without `await` is no reason to rewrite a test."""
    await render.submit("cat")
    assert drain(ops).now().attempts == 1
    assert (await drain(ops)).attempts == 0


async def test_a_failure_is_raised(ops: Opwright) -> None:
    """With the text that the operation keeps; what comes after it is left alone."""
    failing = await break_.submit("the glass")
    after = await render.submit("cat")
    with pytest.raises(OperationFailed, match="ValueError: the glass is broken") as caught:
        await drain(ops)
    assert caught.value.operation == failing.id
    assert (await failing.status(), await after.status()) == (Status.FAILED, Status.PENDING)


async def test_a_failure_that_leaves_retries_is_raised_as_well(ops: Opwright) -> None:
    """A test that does not expect it should hear of it now, not of a result that never comes."""
    handle = await flaky.submit(1)
    with pytest.raises(OperationFailed, match="ValueError: failure 1"):
        await drain(ops)
    assert await handle.status() is Status.PENDING


async def test_failures_are_counted_when_they_are_expected(ops: Opwright) -> None:
    await break_.submit("the glass")
    await render.submit("cat")
    drained = await drain(ops, raises=False)
    assert drained.counts == {Status.FAILED: 1, Status.SUCCEEDED: 1}
    assert (drained.ended[0].error or "").startswith("ValueError: the glass is broken")


async def test_only_the_chosen_triggers(ops: Opwright) -> None:
    """By themselves or by name; the others stay ready."""
    for trigger in (render, publish, publish_now):
        await trigger.submit("cat")
    assert (await drain(ops, triggers=[render, "publish"])).attempts == 4
    assert [one.trigger for one in await submitted(ops) if not one.status.ended] == ["publish_now"]
    with pytest.raises(UnknownTrigger):
        drain(ops, triggers=["rendr"])


async def test_the_others_stay_ready_however_far_the_clock_is_turned(ops: Opwright) -> None:
    """That a drain leaves them out does not make them unknown to everybody."""
    left = await publish.submit("cat")
    await render.options(delay=86_400).submit("dog")
    assert (await drain(ops, triggers=[render], with_delayed=True)).attempts == 1
    assert await left.status() is Status.PENDING


async def test_delays_are_left_alone(ops: Opwright) -> None:
    """Until their time has come by the clock."""
    handle = await render.options(delay=3600).submit("cat")
    assert (await drain(ops)).attempts == 0
    assert await handle.status() is Status.PENDING


async def test_a_turned_clock_makes_them_due(ops: Opwright, clock: TurnedClock) -> None:
    """No second of real time passes."""
    await render.options(delay=3600).submit("cat")
    clock.turn(3599)
    assert (await drain(ops)).attempts == 0
    clock.turn(1)
    assert (await drain(ops)).attempts == 1


async def test_the_clock_is_turned_on_to_each_due_time(ops: Opwright, clock: TurnedClock) -> None:
    """In the order in which they are due, and no further."""
    began = clock.now()
    await render.options(delay=86_400).submit("tomorrow")
    await render.options(delay=60).submit("soon")
    await render.submit("now")
    assert (await drain(ops, with_delayed=True)).attempts == 3
    assert done == ["now", "soon", "tomorrow"]
    assert clock.now() == began + 86_400_000_000


async def test_retries_need_no_waiting(ops: Opwright, clock: TurnedClock) -> None:
    """Two failures, two pauses of a minute, one success."""
    began = clock.now()
    handle = await flaky.submit(2)
    drained = await drain(ops, with_delayed=True, raises=False)
    assert (drained.attempts, len(drained.ended)) == (3, 1)
    assert await handle.result() == 3
    assert clock.now() >= began + 2 * 48_000_000


async def test_what_follows_others_comes_after_them(ops: Opwright) -> None:
    """In the same drain."""
    first = await render.submit("first")
    batch = await publish.submit_many([("a",), ("b",)], then=flaky, then_inputs={"failures": 0})
    await urgent.options(after=[first]).submit("second")
    await drain(ops)
    assert done.index("first") < done.index("second")
    assert await batch.then.result() == 1


async def test_a_wait_goes_on_when_it_is_resumed(ops: Opwright) -> None:
    """And its log is written, as by any host."""
    handle = await approve.submit("5")
    assert (await drain(ops)).ended == ()
    assert await handle.status() is Status.WAIT
    await handle.resume("yes")
    await drain(ops)
    assert await handle.result() == "5: yes"
    assert [update.text async for update in handle.follow()].count("asking about 5") == 2


async def test_a_wait_that_nobody_resumes_ends(ops: Opwright, clock: TurnedClock) -> None:
    """After its pauses, all of which are turned on."""
    handle = await approve.submit("5")
    began = clock.now()
    with pytest.raises(OperationFailed, match="2 times in a row, and nobody resumed it"):
        await drain(ops, with_delayed=True)
    assert await handle.status() is Status.FAILED
    assert clock.now() >= began + 120_000_000


async def test_limits_hold(ops: Opwright, clock: TurnedClock) -> None:
    """What is over its limit stays, until the clock has been turned on far enough."""
    await call.submit_many([(1,), (2,), (3,)])
    await drain(ops)
    assert done == ["call 1"]
    clock.turn(60)
    await drain(ops)
    assert done == ["call 1", "call 2"]
    began = clock.now()
    await drain(ops, with_delayed=True)
    assert (done[-1], clock.now() - began) == ("call 3", 60_000_000)


async def test_only_a_turned_clock_can_be_turned_on(tmp_path: Path) -> None:
    async with relocated(Opwright(f"sqlite:///{tmp_path}/a.db"), f"sqlite:///{tmp_path}/b.db") as ops:
        with pytest.raises(ConfigurationError, match="clock=TurnedClock"):
            drain(ops, with_delayed=True)


async def test_an_endless_drain_gives_up(ops: Opwright) -> None:
    """An operation that submits itself would keep a test forever."""
    await render.submit_many([("cat",)] * 20)
    assert (await drain(ops, limit=20)).attempts == 20
    await forever.submit()
    with pytest.raises(RuntimeError, match="not empty after 20 attempts"):
        await drain(ops, limit=20)


async def test_what_was_cancelled_is_not_carried_out(ops: Opwright) -> None:
    handle = await render.submit("cat")
    await handle.cancel()
    assert (await drain(ops)).attempts == 0
    assert done == []


async def test_an_interrupted_drain_hands_back_what_it_ran(ops: Opwright) -> None:
    """Uncharged, like a host that stops."""
    begun = asyncio.Event()

    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    trigger = Opwright.operation(ops, hang)
    try:
        handle = await trigger.submit()
        task = asyncio.create_task(_awaited(ops))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        operation = await handle.get()
        assert (operation.status, operation.attempt) == (Status.PENDING, 1)
    finally:
        ops.registry._triggers.pop("hang")


async def _awaited(ops: Opwright) -> None:
    await drain(ops)


async def test_no_host_is_left_behind(ops: Opwright, database_url: str) -> None:
    """A drain is a host of its own, from beginning to end, and says good-bye."""
    await break_.submit("the glass")
    with pytest.raises(OperationFailed):
        await drain(ops)
    await drain(ops)
    tables = Tables(database_url)
    assert await tables.count("hosts") == 2
    assert await tables.value(f"select count(*) from opwright.hosts where state = {ALIVE}") == 0

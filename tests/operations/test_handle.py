"""Handles: ask about an operation, wait for it, follow it, cancel it."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from opwright import (
    Handle,
    InvalidOperation,
    OperationCancelled,
    OperationFailed,
    OperationNotFound,
    Opwright,
    Status,
    StoreError,
    Update,
)
from opwright.model.ids import new_id
from opwright.model.status import TRANSITIONS
from opwright.operations import waiting as waiting_module
from opwright.store.postgresql import PostgresEngine
from tests.contract.kit import query
from tests.operations.kit import Work, eventually


class Size(msgspec.Struct):
    width: int
    height: int


async def double(number: int) -> int:
    return 2 * number


# -------------------------------------------------------------------------------------------------- what it is


async def test_a_handle_is_its_operation(ops: Opwright) -> None:
    """Two handles of one operation are equal and hash alike; others differ; it says which one it is."""
    trigger = ops.operation(double)
    one, other = await trigger.submit(1), await trigger.submit(2)
    again: Handle[Any] = ops.handle(one.id)
    assert one == again
    assert hash(one) == hash(again)
    assert one != other
    assert one != one.id
    assert len({one, again, other}) == 2
    assert str(one.id) in repr(one)


async def test_everything_that_is_known_about_it(ops: Opwright) -> None:
    """``get()`` is what people see, before and after."""
    handle = await ops.operation(double).options(priority=3).submit(21)
    before = await handle.get()
    assert (before.id, before.trigger, before.status, before.priority) == (handle.id, "double", Status.PENDING, 3)
    assert (before.started, before.ended, before.result, before.attempt) == (None, None, None, 1)
    async with ops.host(pool="inline") as host:
        await handle.result(timeout=10)
        number = host.id
    after = await handle.get()
    assert (after.status, after.result, after.error, after.host) == (Status.SUCCEEDED, "42", None, number)
    assert after.started is not None
    assert after.ended is not None


async def test_the_status_follows_the_operation(ops: Opwright) -> None:
    """PENDING, PROCESSING, SUCCEEDED."""
    work = Work(ops)
    handle = await work.trigger.submit()
    assert await handle.status() is Status.PENDING
    async with ops.host(pool="inline"):
        await asyncio.wait_for(work.begun.wait(), 10)
        assert await handle.status() is Status.PROCESSING
        work.go.set()
        assert await handle.result(timeout=10) == "done"
        assert await handle.status() is Status.SUCCEEDED


async def test_an_operation_that_does_not_exist_is_not_found(ops: Opwright) -> None:
    """Never committed, or swept: the error names the id. There is nothing to cancel or to resume."""
    stranger = ops.handle(123)
    with pytest.raises(OperationNotFound, match="123"):
        await stranger.status()
    with pytest.raises(OperationNotFound, match="123"):
        await stranger.get()
    with pytest.raises(OperationNotFound, match="123"):
        await anext(stranger.follow())
    assert await stranger.cancel() is False
    assert await stranger.resume() is False


# ------------------------------------------------------------------------------------------------------ result


async def test_a_result_has_the_declared_type(ops: Opwright) -> None:
    """What the trigger returned, typed by its annotation; by id alone it is plain JSON."""

    @ops.operation
    def measure(width: int) -> Size:
        return Size(width, 2 * width)

    async with ops.host(pool="inline"):
        handle = await measure.submit(1)
        assert await handle.result(timeout=10) == Size(1, 2)
        assert await ops.handle(handle.id).result(timeout=10) == {"width": 1, "height": 2}


async def test_a_trigger_that_returns_nothing_gives_none(ops: Opwright) -> None:
    """An end is an end."""

    @ops.operation
    def quiet() -> None:
        """Nothing to tell."""

    async with ops.host(pool="inline"):
        handle = await quiet.submit()
        await handle.result(timeout=10)
        assert (await handle.get()).result is None
        assert await ops.handle(handle.id).result(timeout=10) is None


async def test_a_failure_is_raised_with_the_triggers_error(ops: Opwright) -> None:
    """OperationFailed, with type and message of what the trigger raised."""

    @ops.operation
    def fail() -> None:
        raise ValueError("no such photo")

    handle = await fail.submit()
    async with ops.host(pool="inline"):
        with pytest.raises(OperationFailed, match=rf"{handle.id}.*ValueError: no such photo"):
            await handle.result(timeout=10)
        with pytest.raises(OperationFailed):
            await ops.handle(handle.id).result(timeout=10)


async def test_a_cancellation_is_raised(ops: Opwright) -> None:
    """OperationCancelled, with the reason."""
    handle = await ops.operation(double).submit(1)
    await handle.cancel()
    with pytest.raises(OperationCancelled, match="cancelled by its submitter"):
        await handle.result(timeout=10)


async def test_patience_may_end_before_the_operation(ops: Opwright) -> None:
    """TimeoutError names the operation and says that it goes on; and it does."""
    trigger = ops.operation(double)
    handle = await trigger.submit(1)
    with pytest.raises(TimeoutError, match=rf"{handle.id}.*0\.05 s"):
        await handle.result(timeout=0.05)
    async with ops.host(pool="inline"):
        assert await handle.result(timeout=10) == 2


async def test_a_result_that_is_there_needs_no_patience(ops: Opwright, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has ended long ago: the first look finds it, before anything listens, in a program that never waited before."""
    handle = await ops.operation(double).submit(1)
    async with ops.host(pool="inline"):
        await handle.result(timeout=10)

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(PostgresEngine, "listen", never)
    monkeypatch.setattr(waiting_module, "SHORTEST", 600)
    monkeypatch.setattr(waiting_module, "LONGEST", 600)
    other = Opwright(ops.client.url)
    async with other:
        assert await other.handle(handle.id).result(timeout=10) == 2


async def test_many_may_wait_for_one(ops: Opwright) -> None:
    """A hundred coroutines, one operation, one answer each; one that gives up takes nothing from the others."""
    work = Work(ops)
    handle = await work.trigger.submit()
    waiters = [asyncio.ensure_future(_wait(handle)) for _ in range(100)]
    async with ops.host(pool="inline"):
        await asyncio.wait_for(work.begun.wait(), 10)
        waiters[0].cancel()
        work.go.set()
        answers = await asyncio.wait_for(asyncio.gather(*waiters, return_exceptions=True), 10)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == ["done"] * 99


async def _wait(handle: Handle[str]) -> str:
    return await handle.result()


async def test_one_may_wait_for_many(ops: Opwright) -> None:
    """Hundreds of operations, awaited together, in any order."""
    trigger = ops.operation(double)
    handles = await trigger.submit_many([(number,) for number in range(300)])
    async with ops.host(pool="inline"):
        found = await asyncio.wait_for(asyncio.gather(*(_number(handle) for handle in reversed(handles))), 20)
    assert found == [2 * number for number in reversed(range(300))]


async def _number(handle: Handle[int]) -> int:
    return await handle.result()


async def test_one_that_is_committed_later_may_be_awaited_before(ops: Opwright) -> None:
    """The id is known when the submit is made in a transaction that is still open; waiting begins before the commit."""
    trigger = ops.operation(double)
    store = await ops.client.store()
    identifier = new_id()
    waiter = asyncio.ensure_future(_number(ops.handle(identifier)))
    waiting = await ops.client.waiting()

    async def waits() -> bool:
        return identifier in waiting._waiters

    await eventually(waits, "somebody waits")
    handle = await trigger.submit(21)
    await query(store, f"update opwright.operations set id = {identifier} where id = {handle.id}")
    await query(store, f"update opwright.ready set operation = {identifier} where operation = {handle.id}")
    async with ops.host(pool="inline"):
        assert await asyncio.wait_for(waiter, 10) == 42


async def test_an_end_in_another_program_is_heard(ops: Opwright) -> None:
    """The one who waits has no host: it polls, and hears soon."""
    handle = await ops.operation(double).submit(21)
    other = Opwright(ops.client.url)
    other.operation(double)
    waiter = asyncio.ensure_future(_number(handle))
    async with other.host(pool="inline"):
        assert await asyncio.wait_for(waiter, 10) == 42


async def test_whoever_waits_when_the_application_is_closed_is_told(database_url: str) -> None:
    """An error, not silence for ever."""
    ops = Opwright(database_url)
    async with ops:
        handle = await ops.operation(double).submit(1)
        waiter = asyncio.ensure_future(_number(handle))
        waiting = await ops.client.waiting()

        async def waits() -> bool:
            return handle.id in waiting._waiters

        await eventually(waits, "somebody waits")
    with pytest.raises(StoreError, match="closed"):
        await asyncio.wait_for(waiter, 10)


# ------------------------------------------------------------------------------------------------------ follow


async def test_following_gives_each_status_and_ends(ops: Opwright) -> None:
    """PENDING, PROCESSING, SUCCEEDED, each once, in order; then the iteration is over."""
    work = Work(ops)
    handle = await work.trigger.submit()
    found: list[Update] = []

    async def follow() -> None:
        async for update in handle.follow():
            found.append(update)
            if update.status is Status.PROCESSING:
                work.go.set()

    following = asyncio.ensure_future(follow())

    async def pending() -> bool:
        return len(found) == 1

    await eventually(pending, "the first status")
    async with ops.host(pool="inline"):
        await asyncio.wait_for(following, 10)
    assert [update.status for update in found] == [Status.PENDING, Status.PROCESSING, Status.SUCCEEDED]
    assert [update.at for update in found] == sorted(update.at for update in found)
    assert found[-1].at == (await handle.get()).ended


async def test_following_tells_of_errors_and_retries(ops: Opwright) -> None:
    """Each attempt that failed is a line with its error; no two neighbouring moves contradict the table of states."""
    attempts = 0

    @ops.operation(retries=2, backoff=0.05)
    def flaky() -> str:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise ValueError(f"attempt {attempts}")
        return "done"

    handle = await flaky.submit()
    async with ops.host(pool="inline"), asyncio.timeout(15):
        found = [update async for update in handle.follow()]
    texts = [update.text for update in found if update.text is not None]
    assert [text.splitlines()[0] for text in texts] == ["ValueError: attempt 1", "ValueError: attempt 2"]
    statuses = [update.status for update in found if update.text is None]
    assert statuses[0] is Status.PENDING
    assert statuses[-1] is Status.SUCCEEDED
    assert all(not status.ended for status in statuses[:-1])


@pytest.mark.parametrize("end", ["failed", "cancelled"])
async def test_following_what_has_ended_gives_its_end(ops: Opwright, end: str) -> None:
    """One update, and it is over."""

    @ops.operation
    def fail() -> None:
        raise ValueError("no")

    handle = await fail.submit()
    if end == "cancelled":
        await handle.cancel()
    else:
        async with ops.host(pool="inline"):
            with pytest.raises(OperationFailed):
                await handle.result(timeout=10)
    async with asyncio.timeout(10):
        found = [update.status async for update in handle.follow()]
    assert found == [Status[end.upper()]]
    assert not TRANSITIONS[found[-1]]


# ------------------------------------------------------------------------------------------------------ cancel


@pytest.mark.parametrize("delay", [None, 1000.0])
async def test_what_nobody_has_begun_is_cancelled_at_once(ops: Opwright, delay: float | None) -> None:
    """Ready or delayed: it never runs, and its key is free."""
    work = Work(ops)
    handle = await work.trigger.options(key="k", delay=delay).submit()
    assert await handle.cancel() is True
    assert await handle.status() is Status.CANCELLED
    assert await work.trigger.options(key="k").submit() != handle
    async with ops.host(pool="inline"):
        await asyncio.wait_for(work.begun.wait(), 10)
        work.go.set()
    assert work.runs == 1


async def test_what_runs_is_cancelled_by_its_host(ops: Opwright) -> None:
    """The trigger sees a cancellation at its next await; the operation ends CANCELLED, without a retry."""
    work = Work(ops)
    async with ops.host(pool="inline"):
        handle = await work.running()
        assert await handle.cancel() is True
        with pytest.raises(OperationCancelled):
            await handle.result(timeout=10)
    assert work.runs == 1


async def test_what_waits_for_its_retry_is_cancelled(ops: Opwright) -> None:
    """Between two attempts nobody holds it."""

    @ops.operation(retries=5, backoff=1000)
    def fail() -> None:
        raise ValueError("no")

    handle = await fail.submit()
    async with ops.host(pool="inline"):

        async def delayed() -> bool:
            return (await handle.get()).attempt == 2

        await eventually(delayed, "the first error")
        assert await handle.cancel() is True
        assert await handle.status() is Status.CANCELLED


@pytest.mark.parametrize("how", ["result", "error", "cancel"])
async def test_what_has_ended_cannot_be_cancelled(ops: Opwright, how: str) -> None:
    """False, and nothing changes."""

    @ops.operation
    def work() -> str:
        if how == "error":
            raise ValueError("no")
        return "done"

    handle = await work.submit()
    if how == "cancel":
        await handle.cancel()
    else:
        async with ops.host(pool="inline"):

            async def ended() -> bool:
                return (await handle.status()).ended

            await eventually(ended, "its end")
    before = await handle.get()
    assert await handle.cancel() is False
    assert await handle.get() == before


async def test_a_second_cancel_of_what_runs_changes_nothing(ops: Opwright) -> None:
    """Asked twice, cancelled once."""
    work = Work(ops)
    async with ops.host(pool="inline"):
        handle = await work.running()
        await asyncio.gather(*(_cancel(handle) for _ in range(5)))
        with pytest.raises(OperationCancelled):
            await handle.result(timeout=10)


async def _cancel(handle: Handle[Any]) -> bool:
    return await handle.cancel()


async def test_a_cancel_while_its_host_stops_is_obeyed(ops: Opwright) -> None:
    """A stop gives what runs half a minute; a cancel in that time ends it at once."""
    work = Work(ops)
    host = ops.host(pool="inline")
    await host.start()
    handle = await work.running()
    stopping = asyncio.ensure_future(host.stop(grace=40))
    try:
        assert await handle.cancel() is True

        async def cancelled() -> bool:
            return await handle.status() is Status.CANCELLED

        await eventually(cancelled, "the cancel is obeyed", patience=20)
    finally:
        work.go.set()
        await stopping


async def test_a_handle_answers_synchronous_code_too(ops: Opwright) -> None:
    """Every question has a ``.now()``."""
    handle = await ops.operation(double).submit(1)

    def ask() -> list[Any]:
        questions: list[Callable[[], Any]] = [
            lambda: handle.status().now(), lambda: handle.get().now().id, lambda: handle.cancel().now()
        ]  # fmt: skip
        return [question() for question in questions]

    assert await asyncio.to_thread(ask) == [Status.PENDING, handle.id, True]
    await asyncio.to_thread(_close_portal, ops)


def _close_portal(ops: Opwright) -> None:
    from opwright.operations.portal import portal

    portal().run(ops.client.close())


async def test_a_handle_takes_an_id_as_a_number_or_as_text(ops: Opwright) -> None:
    """The command line gives ids as text; what is no id is refused, not waited for."""
    handle = await ops.operation(double).submit(1)
    assert ops.handle(str(handle.id)) == ops.handle(handle.id) == handle
    for wrong in ("abc", "", -1, 1 << 63):
        with pytest.raises(InvalidOperation):
            ops.handle(wrong)

"""Submitters: the object that put an operation into the database does its work and gets it back, whatever it came to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from opwright import Backoff, ConfigurationError, Opwright, Status, operation
from opwright.app.host import Host
from opwright.model import submitter
from opwright.model.options import Options
from opwright.model.submitter import hand_back_trigger
from opwright.operations.submitter import HandedBack
from opwright.operations.trigger import Trigger
from tests.kit.tables import Tables
from tests.kit.waiting import eventually


class Orders:
    """A synchronous submitter that remembers what it gets back."""

    def __init__(self) -> None:
        self.got: list[tuple[str, HandedBack]] = []

    def handle(self, number: int) -> int:
        if number < 0:
            raise ValueError(f"order {number}")
        return 2 * number

    def done(self, handed: HandedBack) -> None:
        self.got.append(("done", handed))

    def failed(self, handed: HandedBack) -> None:
        self.got.append(("failed", handed))

    def cancelled(self, handed: HandedBack) -> None:
        self.got.append(("cancelled", handed))

    async def back(self, count: int = 1) -> tuple[str, HandedBack]:
        """The newest of so many."""
        await eventually(lambda: len(self.got) >= count, 10, f"{count} are handed back")
        assert len(self.got) == count
        return self.got[-1]


class AsyncOrders(Orders):
    """The same, asynchronously."""

    async def handle(self, number: int) -> int:  # type: ignore[override] # an object of its own, in the other colour
        await asyncio.sleep(0)
        return super().handle(number)

    async def done(self, handed: HandedBack) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        super().done(handed)


@pytest.fixture
async def ops(database_url: str) -> AsyncIterator[Opwright]:
    """An application without any trigger."""
    ops = Opwright(database_url)
    async with ops:
        yield ops


def host(ops: Opwright) -> Host:
    """A host in this process, so that the test sees the objects at work."""
    return ops.host(pool="inline", slots=10)


async def test_an_operation_is_given_to_the_object_that_submitted_it_and_comes_back_done(ops: Opwright) -> None:
    """GEN-26, 27, 31, 32: the object does the work, and gets back id, inputs and result of what SUCCEEDED."""
    orders = Orders()
    order = ops.submitter("orders", orders)
    async with host(ops):
        submitted = await order.submit(21)
        assert await submitted.result(5) == 42
        word, handed = await orders.back()
    assert (word, handed.status, handed.id, handed.trigger) == ("done", Status.SUCCEEDED, submitted.id, "orders")
    assert (handed.inputs, handed.result, handed.error, handed.attempt) == ({"number": 21}, 42, None, 1)
    assert handed.submitted <= handed.ended


async def test_a_failed_operation_comes_back_as_failed(ops: Opwright) -> None:
    """GEN-28: with the error, after its last attempt and only then."""
    orders = Orders()
    order = ops.submitter("orders", orders, retries=1, backoff=0.01)
    async with host(ops):
        await order.submit(-1)
        word, handed = await orders.back()
    assert (word, handed.status, handed.result, handed.attempt) == ("failed", Status.FAILED, None, 2)
    assert "order -1" in (handed.error or "")


async def test_an_operation_cancelled_before_its_begin_comes_back_as_cancelled(ops: Opwright, tables: Tables) -> None:
    """Nobody had begun it, no host even runs: the hand-back is written with the outcome, and is done when one does."""
    orders = Orders()
    order = ops.submitter("orders", orders)
    submitted = await order.submit(1)
    assert await submitted.cancel()
    assert await tables.column("select trigger from opwright.operations order by id") == ["orders", hand_back_trigger("orders")]
    async with host(ops):
        word, handed = await orders.back()
    assert (word, handed.status, handed.id) == ("cancelled", Status.CANCELLED, submitted.id)


async def test_an_operation_cancelled_in_the_middle_comes_back_as_cancelled(ops: Opwright) -> None:
    begun = asyncio.Event()

    class Slow(Orders):
        async def handle(self, number: int) -> int:  # type: ignore[override]
            begun.set()
            await asyncio.Event().wait()
            return number

    slow = Slow()
    order = ops.submitter("slow", slow)
    async with host(ops):
        submitted = await order.submit(1)
        await begun.wait()
        await submitted.cancel()
        word, handed = await slow.back()
    assert (word, handed.id) == ("cancelled", submitted.id)


@pytest.mark.parametrize("kind", [Orders, AsyncOrders])
async def test_a_submitter_may_be_synchronous_or_not(ops: Opwright, kind: Callable[[], Orders]) -> None:
    orders = kind()
    order = ops.submitter("orders", orders)
    async with host(ops):
        await order.submit(1)
        assert (await orders.back())[1].result == 2


async def test_a_submitter_gets_back_operations_of_other_triggers(ops: Opwright) -> None:
    """``render.options(submitter=orders)``: the trigger does the work, the object gets it back with typed result."""

    @ops.operation
    async def render(photo: str) -> list[int]:
        return [len(photo)]

    orders = Orders()
    order = ops.submitter("orders", orders)
    async with host(ops):
        submitted = await render.options(submitter=order).submit("cat.jpg")
        word, handed = await orders.back()
    assert (word, handed.id, handed.trigger) == ("done", submitted.id, "render")
    assert (handed.inputs, handed.result) == ({"photo": "cat.jpg"}, [7])


async def test_a_submitter_need_not_care(ops: Opwright, tables: Tables) -> None:
    """An object without callbacks has its operations handed back to nobody's harm."""

    class Careless:
        def handle(self, number: int) -> int:
            return number

    careless = ops.submitter("careless", Careless())
    async with host(ops):
        await (await careless.submit(3)).result(5)
        await eventually(lambda: _ended(tables, 2), 5, "the hand-back has ended")
    assert {status for status, _ in await tables.attempts()} == {1}


async def _ended(tables: Tables, count: int) -> bool:
    return await tables.count("outcomes") == count


async def test_the_next_time_is_submitted_by_the_submitter(ops: Opwright) -> None:
    """GEN-29: maintenance submits its own next turn when it gets the last one back; nothing else knows of turns."""
    turns: list[int] = []

    class Maintenance:
        again: Trigger[[int], int]

        def handle(self, turn: int) -> int:
            return turn

        async def done(self, handed: HandedBack) -> None:
            turns.append(handed.result)
            if handed.result < 3:
                await self.again.options(delay=0.01).submit(handed.result + 1)

    maintenance = Maintenance()
    maintenance.again = ops.submitter("maintenance", maintenance)
    async with host(ops):
        await maintenance.again.submit(1)
        await eventually(lambda: len(turns) == 3, 10, "three turns")
    assert turns == [1, 2, 3]


async def test_an_error_in_done_is_tried_again_on_its_own_budget_and_leaves_no_submits(
    ops: Opwright, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error stands in the log of the hand-back; the operation itself stays as it ended, in its first attempt."""
    shorten_pauses(monkeypatch)
    calls: list[int] = []

    class Clumsy(Orders):
        step: Trigger[[int], int]

        async def done(self, handed: HandedBack) -> None:  # type: ignore[override]
            calls.append(handed.id)
            if handed.result == 2:
                await self.step.submit(100)
                if len(calls) < 3:
                    raise RuntimeError("clumsy")

    clumsy = Clumsy()
    clumsy.step = ops.submitter("clumsy", clumsy)
    async with host(ops):
        first = await clumsy.step.submit(1)
        await eventually(lambda: _ended(tables, 4), 10, "both are handed back")
    assert calls[:3] == [first.id] * 3
    assert len(calls) == 4, "an attempt that failed left its submit behind"
    (given_back,) = await tables.column(f"select id from opwright.operations where parent = {first.id}")
    notes = await tables.notes(given_back)
    assert len(notes) == 2
    assert all("clumsy" in text for _, text in notes)
    assert await tables.rows(f"select status, attempt from opwright.outcomes where operation = {given_back}") == [(1, 3)]
    assert await tables.rows(f"select status, attempt from opwright.outcomes where operation = {first.id}") == [(1, 1)]


def shorten_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hand-back is tried again at once, not after seconds."""
    options = Options(retries=submitter.RETRIES, recoveries=submitter.RETRIES, backoff=Backoff(first=0.01, factor=1))
    monkeypatch.setattr(submitter, "_OPTIONS_TEXT", msgspec.json.encode(options).decode())


async def test_a_change_of_status_arrives_at_the_notification_code_of_its_work_order(ops: Opwright) -> None:
    """GEN-30, 33: the row names the submitter; the generator between them knows nothing of work orders."""
    notified: list[tuple[int, str]] = []

    class WorkOrders:
        def handle(self, order: int, status: str) -> None:
            notified.append((order, status))

    notify = ops.submitter("work orders", WorkOrders())
    ops.submitter("widgets", Orders())
    async with host(ops):
        await (await notify.submit(7, "completed")).result(5)
    assert notified == [(7, "completed")]


async def test_notify_users_submits_a_mail_for_each_user_and_the_mails_are_carried_out_later(
    ops: Opwright, tables: Tables
) -> None:
    """GEN-34, 35: children of the handler that made them, each given to the submitter of mails in a cycle of its own."""
    sent: dict[str, int] = {}
    running: list[int] = []

    class Mails:
        async def handle(self, user: str) -> str:
            sent[user] = operation.current().id
            return user

    mail = ops.submitter("mail", Mails(), queue="mail")

    class Users:
        async def handle(self, users: list[str]) -> int:
            running.append(len(sent))
            for user in users:
                await mail.submit(user)
            return len(users)

    notify = ops.submitter("notify users", Users())
    async with ops.host(pool="inline", queues=("default",)):
        submitted = await notify.submit(["ann", "bob", "cid"])
        assert await submitted.result(5) == 3
        children = await submitted.children()
        assert [await child.status() for child in children[:3]] == [Status.PENDING] * 3
    assert (running, sent) == ([0], {})
    async with host(ops):
        assert [await child.result(5) for child in children[:3]] == ["ann", "bob", "cid"]
    assert [sent[user] for user in ("ann", "bob", "cid")] == [child.id for child in children[:3]]


async def test_an_object_that_cannot_take_its_operations_is_refused(ops: Opwright) -> None:
    """At the start of the program, with the method in the error; not when the first operation has ended."""

    class Odd:
        done: Any = "yes"

        def handle(self) -> None: ...

    with pytest.raises(ConfigurationError, match=r"submitter 'odd': done is 'yes', not a method"):
        ops.submitter("odd", Odd())
    with pytest.raises(ConfigurationError, match=r"submitter 'none': .* has no method `handle`"):
        ops.submitter("none", object())  # type: ignore[call-overload]

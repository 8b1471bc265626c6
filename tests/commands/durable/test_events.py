"""Events: operations of a queue of their own, written in the scope's transaction."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from opwright import (
    BroadcastCommand,
    DbEventLogReader,
    EventState,
    InvalidOperation,
    KeyTaken,
    OperationScope,
    Opwright,
    Status,
    UnknownCommand,
)
from opwright.clock import SECOND
from opwright.commands.events import Event
from opwright.errors import StoreConflict
from opwright.testing import drain
from tests.commands.durable.kit import AddUser, Other, adding, entries, insert, users
from tests.contract.kit import query
from tests.operations.kit import eventually, rows


@dataclass(frozen=True)
class Welcome:
    name: str


@dataclass(frozen=True)
class Everybody(BroadcastCommand):
    number: int


class Shop:
    """A command that adds events, and what becomes of them."""

    def __init__(self, ops: Opwright) -> None:
        self.ops = ops
        self.done: list[str] = []
        self.events: list[Event] = []
        self.fails = 0

        @ops.command
        async def welcome(command: Welcome) -> None:
            if self.fails:
                self.fails -= 1
                raise ValueError("not today")
            self.done.append(command.name)

        @ops.command
        async def add_user(command: AddUser, scope: OperationScope) -> None:
            await insert(await scope.connection(), command.name)
            self.events.append(scope.events.add(Welcome(command.name), **self.options))

        self.options: dict[str, Any] = {}

    async def add(self, name: str = "ann", **options: Any) -> Event:
        self.options = options
        await self.ops.call(AddUser(name))
        return self.events[-1]


@pytest.fixture
def shop(ops: Opwright) -> Shop:
    return Shop(ops)


# -------------------------------------------------------------------------------------------------- their way


async def test_an_event_is_carried_out_after_the_commit(ops: Opwright, shop: Shop) -> None:
    event = await shop.add()
    assert (shop.done, await event.state()) == ([], EventState.NEW)
    record = await event.handle.get()
    assert (record.queue, record.trigger) == ("events", "welcome")
    await drain(ops)
    assert (shop.done, await event.state()) == (["ann"], EventState.PROCESSED)


async def test_a_command_that_is_rolled_back_leaves_no_event(ops: Opwright) -> None:
    @ops.operation
    async def send() -> None: ...

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        event = scope.events.add(send)
        with pytest.raises(InvalidOperation, match="is not there before its operation scope is committed"):
            _ = event.handle
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ops.call(Other())
    assert (await rows(ops), await entries(ops)) == ({}, [])


async def test_an_attempt_that_is_made_again_leaves_the_events_of_the_last(ops: Opwright) -> None:
    runs: list[int] = []

    @ops.operation
    async def send(number: int) -> None: ...

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        runs.append(1)
        scope.events.add(send, {"number": len(runs)})
        if len(runs) < 3:
            raise StoreConflict("a deadlock")

    await ops.call(Other())
    assert await query(await ops.client.store(), "select cast(inputs as text) from opwright.operations") == [('{"number":3}',)]


async def test_an_event_without_any_transaction_is_written_with_the_entry(ops: Opwright) -> None:
    """And so is what a nested command adds."""

    @ops.operation
    async def send(number: int) -> None: ...

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        scope.events.add(send, (1,))

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        scope.events.add(send, {"number": 2}, delay=3600)
        await ops.call(AddUser("ann"))

    await ops.call(Other())
    assert (await rows(ops), len(await entries(ops))) == ({"operations": 2, "ready": 1, "delayed": 1}, 1)


async def test_an_event_that_fails_is_tried_again_and_then_discarded(turned: Opwright) -> None:
    """As often as the setting says."""
    shop = Shop(turned)
    shop.fails = 2
    lucky = await shop.add("ann")
    await drain(turned, with_delayed=True, raises=False)
    assert (shop.done, await lucky.state(), (await lucky.handle.get()).attempt) == (["ann"], EventState.PROCESSED, 3)
    shop.fails = 3
    unlucky = await shop.add("bob")
    await drain(turned, with_delayed=True, raises=False)
    assert (shop.fails, await unlucky.state(), await unlucky.handle.status()) == (0, EventState.DISCARDED, Status.FAILED)


@pytest.mark.parametrize(("retries", "of_trigger", "runs"), [(None, 0, 3), (None, 1, 2), (0, 1, 1), (3, 0, 4)])
async def test_an_event_has_its_own_retries_or_those_of_its_trigger_or_the_setting(
    turned: Opwright, retries: int | None, of_trigger: int, runs: int
) -> None:
    begun: list[int] = []

    @turned.operation(retries=of_trigger)
    async def send() -> None:
        begun.append(1)
        raise ValueError("not today")

    @turned.command
    async def other(command: Other, scope: OperationScope) -> None:
        scope.events.add(send, retries=retries)

    await turned.call(Other())
    await drain(turned, with_delayed=True, raises=False)
    assert len(begun) == runs


async def test_the_reader_carries_out_events_and_nothing_else(ops: Opwright, shop: Shop) -> None:
    done = asyncio.Event()

    @ops.operation
    async def send() -> None:
        done.set()

    await send.submit()
    event = await shop.add()

    async with DbEventLogReader(ops, pool="inline", heartbeat=3600.0):
        await eventually(lambda: _is(event, EventState.PROCESSED), "the end of the event")
        second = await shop.add("bob")  # it hears of it at once
        await eventually(lambda: _is(second, EventState.PROCESSED), "the end of the next")
    assert (shop.done, done.is_set()) == (["ann", "bob"], False)


async def _is(event: Event, state: EventState) -> bool:
    return await event.state() is state


# -------------------------------------------------------------------------------------------------------- time


async def test_a_delay_never_runs_early(ops: Opwright, shop: Shop) -> None:
    """By the clock of the database, which is that of the event's outcome too."""
    delays = [0.05, 0.1, 0.2, 0.3]
    async with ops.host(pool="inline"):
        events = [await shop.add(str(delay), delay=delay) for delay in delays]
        for event in events:
            await event.handle.result(10)
    for delay, event in zip(delays, events, strict=True):
        record = await event.handle.get()
        assert record.started is not None
        assert (record.started - record.submitted).total_seconds() >= delay


async def test_near_times_are_rounded_up_to_one(ops: Opwright, shop: Shop) -> None:
    """One event for each key and multiple of the quantum; none is due before it was asked for."""
    before = ops.client.clock.now()
    events = [await shop.add(key="mail", delay=delay, quantize=3600) for delay in (7200, 7200, 7201)]
    other = await shop.add(key="parcel", delay=7200, quantize=3600)
    ids = {event.handle.id for event in events}
    assert len(ids) <= 2  # two, if an hour begins at this very moment
    assert other.handle.id not in ids
    for event in [*events, other]:
        ((due,),) = await query(await ops.client.store(), f"select due from opwright.delayed where operation = {event.handle.id}")
        assert due % (3600 * SECOND) == 0
        assert before + 7200 * SECOND <= due <= ops.client.clock.now() + 10801 * SECOND


# --------------------------------------------------------------------------------------------------------- keys


async def test_eight_producers_with_one_key_and_skip_make_one_event_and_none_fails(ops: Opwright, shop: Shop) -> None:
    shop.options = {"key": "one", "on_conflict": "skip"}
    await asyncio.gather(*(ops.call(AddUser(f"user {number}")) for number in range(8)))
    assert len(await users(ops)) == len(await entries(ops)) == 8
    assert len({event.handle.id for event in shop.events}) == 1
    await drain(ops)
    assert len(shop.done) == 1


async def test_a_key_that_is_held_fails_the_command(ops: Opwright, shop: Shop) -> None:
    await shop.add("ann", key="one")
    with pytest.raises(KeyTaken):
        await shop.add("bob", key="one")
    assert (await users(ops), len(await entries(ops))) == (["ann"], 1)
    await drain(ops)
    await shop.add("cat", key="one")  # it has ended
    await drain(ops)
    assert shop.done == ["ann", "cat"]


async def test_an_event_of_a_scope_that_could_not_be_committed_is_none(ops: Opwright, shop: Shop) -> None:
    """It was written before the one whose key was taken."""
    await shop.add("ann", key="one")
    events: list[Event] = []

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        events.append(scope.events.add(Welcome("bob")))
        scope.events.add(Welcome("cat"), key="one")

    with pytest.raises(KeyTaken):
        await ops.call(Other())
    with pytest.raises(InvalidOperation, match="is not there before its operation scope is committed"):
        await events[0].state()


async def test_replace_moves_an_event(ops: Opwright, shop: Shop) -> None:
    """One is left, with the latest inputs and time."""
    first = await shop.add("ann", key="one", delay=3600)
    second = await shop.add("bob", key="one", delay=7200, on_conflict="replace")
    third = await shop.add("cat", key="one", on_conflict="replace")
    await drain(ops)
    assert shop.done == ["cat"]
    assert [await event.state() for event in (first, second, third)] == [
        EventState.DISCARDED, EventState.DISCARDED, EventState.PROCESSED,
    ]  # fmt: skip


async def test_within_a_scope_the_last_event_of_a_key_counts(ops: Opwright, shop: Shop) -> None:
    events: list[Event] = []

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        events.extend(scope.events.add(Welcome(name), key="one") for name in ("ann", "bob", "cat"))

    await ops.call(Other())
    await drain(ops)
    assert (shop.done, len({event.handle.id for event in events})) == (["cat"], 1)


async def test_scopes_that_add_the_same_keys_in_another_order_do_not_meet_in_a_circle(ops: Opwright, shop: Shop) -> None:
    runs: list[int] = []

    @ops.command(retries=0)
    async def other(command: Other, scope: OperationScope) -> None:
        await scope.connection()
        runs.append(command.number)
        keys = [str(number) for number in range(20)]
        for key in keys if command.number % 2 else reversed(keys):
            scope.events.add(Welcome(key), key=key, on_conflict="skip")

    await asyncio.gather(*(ops.call(Other(number)) for number in range(6)))
    assert (len(runs), (await rows(ops))["operations"]) == (6, 20)


# --------------------------------------------------------------------------------------------------- at the door


async def test_what_cannot_be_an_event_is_refused(ops: Opwright, shop: Shop) -> None:
    @ops.broadcast_handler
    async def hear(command: Everybody) -> None: ...

    refused: list[str] = []

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        for what, options in (
            (Everybody(1), {}), (object(), {}), (Welcome("ann"), {"quantize": 1}), (Welcome("ann"), {"quantize": 0, "key": "k"}),
            (Welcome("ann"), {"delay": -1}), (Welcome("ann"), {"on_conflict": "skip"}), (Welcome("ann"), {"retries": -1}),
            (Welcome("ann"), {"key": "k", "on_conflict": "update"}), (Welcome(7), {}),  # type: ignore[arg-type]
        ):  # fmt: skip
            with pytest.raises((InvalidOperation, UnknownCommand)) as caught:
                scope.events.add(what, **options)
            refused.append(str(caught.value).partition(":")[0])

    await ops.call(Other())
    assert await rows(ops) == {}
    assert len(refused) == 9


async def test_an_event_is_refused_in_the_words_of_its_trigger(ops: Opwright, shop: Shop) -> None:
    """It is one, so no number says which of many."""

    @ops.operation
    def send(number: int) -> None: ...

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        for inputs, told in (
            (("one",), r"^send is not what it declares: Expected `int`"),
            ((), r"^send: missing a required argument: 'number'; its inputs are number$"),
            (1, r"^1 is neither a mapping by name nor a tuple by position$"),
        ):
            with pytest.raises(InvalidOperation, match=told):
                scope.events.add(send, inputs)  # type: ignore[arg-type]

    await ops.call(Other())


async def test_a_transient_scope_has_no_events(ops: Opwright) -> None:
    @ops.command(durable=False)
    async def other(command: Other, scope: OperationScope) -> None:
        scope.events.add(Other())

    with pytest.raises(InvalidOperation, match="is transient: it has no events"):
        await ops.call(Other())


async def test_a_scope_that_is_decided_takes_no_event(ops: Opwright, shop: Shop) -> None:
    kept: list[OperationScope] = []

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        kept.append(scope)

    await ops.call(Other())
    with pytest.raises(InvalidOperation, match="the operation scope is closed"):
        kept[0].events.add(Welcome("ann"))


# ------------------------------------------------------------------------------------------------ effects happen once


async def test_a_submitted_command_ends_in_the_transaction_of_its_effects(ops: Opwright) -> None:
    """A worker that dies after the commit is not followed by another run: there is nothing left to run."""
    adding(ops)
    ended: list[Status] = []

    @ops.command
    async def other(command: Other, scope: OperationScope) -> int:
        await insert(await scope.connection(), "other")
        handle = ops.handle(submitted.id)
        scope.after_commit(lambda: _note(handle))
        return 7

    async def _note(handle: Any) -> None:
        ended.append(await handle.status())

    submitted = await ops.submit("other", command=Other())
    await drain(ops)
    assert (ended, await submitted.result(), await users(ops)) == ([Status.SUCCEEDED], 7, ["other"])


async def test_a_submitted_command_whose_claim_is_gone_writes_nothing(ops: Opwright) -> None:
    """Its host was taken over, and somebody else runs it."""
    refused: list[bool] = []

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        scope.on_completion(refused.append)
        await query(await ops.client.store(), "update opwright.claimed set token = token + 1")
        await insert(await scope.connection(), "late")

    await ops.submit("other", command=Other())
    async with ops.host(pool="inline"):
        await eventually(lambda: _told(refused), "the end of the scope")
    assert (refused, await users(ops), await entries(ops)) == ([False], [], [])


async def _told(refused: list[bool]) -> bool:
    return bool(refused)

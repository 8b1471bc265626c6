"""Broadcast commands: any number of handlers, each for itself."""

from __future__ import annotations

import asyncio

import pytest

from opwright import CommandContext, ConfigurationError, LogEntry, OperationScope, Opwright
from opwright.testing import drain
from tests.commands.kit import Journal, ListScopeProvider, Note, Parcel, PlaceOrder


def handlers(ops: Opwright, fail: tuple[str, ...] = ()) -> list[CommandContext]:
    """Three handlers that wait for one another; the contexts in which they ran."""
    together, contexts = asyncio.Barrier(3), list[CommandContext]()

    async def handle(parcel: Parcel, scope: OperationScope, context: CommandContext) -> None:
        await together.wait()
        assert context.handler is not None
        contexts.append(context)
        scope.items.keyless_set(Note(context.handler.name))
        if context.handler.name in fail:
            raise ZeroDivisionError(context.handler.name)

    for name in ("one", "two", "three"):
        ops.broadcast_handler(name=name)(handle)
    return contexts


async def test_all_handlers_run_at_the_same_time_each_in_a_scope_of_its_own(ops: Opwright, journal: Journal) -> None:
    ops.commander.provide(ListScopeProvider(journal))
    contexts = handlers(ops)
    assert await ops.call(Parcel(1)) is None
    assert len({context.operation.id for context in contexts}) == 3
    left = {entry.command: entry.items.keyless_get(Note).text for entry in journal.committed}
    assert left == {"one": "one", "two": "two", "three": "three"}


async def test_the_first_failure_surfaces_after_all_have_ended(
    ops: Opwright, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    ops.commander.provide(ListScopeProvider(journal))
    contexts = handlers(ops, fail=("one", "three"))
    context = await ops.run(Parcel(1))
    assert all(one.is_finished for one in contexts)
    failed = [one for one in contexts if one.error is not None]
    assert context.error is failed[0].error
    assert [entry.command for entry in journal.committed] == ["two"]
    assert f"another handler of a broadcast failed: {failed[1].handler!r}" in caplog.text
    with pytest.raises(ZeroDivisionError):
        await ops.call(Parcel(2))


async def test_a_broadcast_that_nobody_handles_succeeds_with_a_warning(ops: Opwright, caplog: pytest.LogCaptureFixture) -> None:
    context = await ops.run(Parcel(1))
    assert (context.result, context.error, context.is_finished) == (None, None, True)
    assert "nobody handles the broadcast Parcel" in caplog.text
    assert ops.pipeline(Parcel) == []


async def test_within_another_command_all_handlers_share_its_scope_and_keep_their_items_apart(
    ops: Opwright, journal: Journal
) -> None:
    ops.commander.provide(ListScopeProvider(journal))
    contexts = handlers(ops)
    for name in ("one", "two", "three"):
        handler = ops.commander.registry.find(name)
        assert handler is not None
        handler.invalidates(lambda parcel: None)

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> None:
        await ops.call(Parcel(1))

    await ops.call(PlaceOrder(1))
    assert len({context.operation.id for context in contexts}) == 1
    (entry,) = journal.committed
    assert {nested.command: nested.items.keyless_get(Note).text for nested in entry.nested} == {
        "one": "one", "two": "two", "three": "three",
    }  # fmt: skip


async def test_each_handler_invalidates_for_itself(ops: Opwright) -> None:
    invalidated: list[tuple[str, int]] = []

    @ops.broadcast_handler
    async def pack(parcel: Parcel) -> None: ...

    @ops.broadcast_handler
    async def send(parcel: Parcel) -> None: ...

    @send.invalidates
    def _(parcel: Parcel, entry: LogEntry) -> None:
        invalidated.append((entry.command, parcel.number))

    await ops.call(Parcel(7))
    assert invalidated == [("send", 7)]
    assert [step.name for step in ops.pipeline(Parcel)][-2:] == ["pack", "send"]


async def test_one_handler_makes_any_type_a_broadcast(ops: Opwright) -> None:
    seen: list[PlaceOrder] = []

    @ops.broadcast_handler
    async def note(order: PlaceOrder) -> None:
        seen.append(order)

    await ops.call(PlaceOrder(1))
    assert seen == [PlaceOrder(1)]
    with pytest.raises(ConfigurationError, match=r"PlaceOrder is broadcast: .*place must be a broadcast_handler"):

        @ops.command
        async def place(order: PlaceOrder) -> None: ...


def test_a_type_with_a_final_handler_is_no_broadcast(ops: Opwright) -> None:
    @ops.command
    async def place(order: PlaceOrder) -> None: ...

    with pytest.raises(ConfigurationError, match=r"no broadcast: it has a final handler: .*place and .*note"):

        @ops.broadcast_handler
        async def note(order: PlaceOrder) -> None: ...


async def test_a_handler_of_a_broadcast_can_be_submitted_alone(ops: Opwright) -> None:
    done: list[str] = []

    @ops.broadcast_handler
    async def pack(parcel: Parcel, scope: OperationScope) -> None:
        done.append(f"pack {parcel.number}")

    @ops.broadcast_handler
    async def send(parcel: Parcel) -> None:
        done.append(f"send {parcel.number}")

    async with ops:
        await pack.submit(Parcel(1))
        await drain(ops)
        await ops.submit("send", parcel=Parcel(2))
        await drain(ops)
    assert done == ["pack 1", "send 2"]


async def test_a_cancelled_broadcast_cancels_every_handler(ops: Opwright) -> None:
    begun, ended = asyncio.Barrier(3), list[str]()

    async def handle(parcel: Parcel, context: CommandContext) -> None:
        try:
            await begun.wait()
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    for name in ("one", "two"):
        ops.broadcast_handler(name=name)(handle)
    call = asyncio.create_task(ops.call(Parcel(1)))
    await begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert ended == ["cancelled"] * 2

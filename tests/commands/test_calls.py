"""Calling commands: results, errors, contexts, what is around."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

import pytest
from opentelemetry import context as tracing

from opwright import CommandContext, InvalidOperation, ItemMissing, OperationScope, Opwright, UnknownCommand
from tests.commands.kit import Divide, Note, PlaceOrder, Sum

ambient: ContextVar[str] = ContextVar("ambient", default="none")


def divider(ops: Opwright) -> None:
    @ops.command
    async def divide(command: Divide) -> int:
        return command.dividend // command.divisor


async def test_a_call_gives_the_result_and_raises_the_error_of_the_handler(ops: Opwright) -> None:
    divider(ops)
    assert await ops.call(Divide(6, 3)) == 2
    with pytest.raises(ZeroDivisionError):
        await ops.call(Divide(6, 0))


async def test_a_command_is_no_function_and_says_how_it_is_called(ops: Opwright) -> None:
    """Its pipeline would be left out."""

    @ops.command
    async def divide(command: Divide) -> int:
        return command.dividend // command.divisor

    with pytest.raises(InvalidOperation, match=r"^divide is a command: `await ops\.call\(Divide\(…\)\)` calls it"):
        divide(Divide(6, 3))  # type: ignore[operator]


async def test_what_handles_is_no_command(ops: Opwright) -> None:
    """Nor is its type, nor a trigger; the error says what to do."""

    @ops.command
    async def divide(command: Divide) -> None: ...

    @ops.operation
    def send() -> None: ...

    for wrong, told in (
        (divide, "a handler is none: call a value of the type that it handles"),
        (send, "a trigger is none: submit it"),
        (Divide, "a class is none, a value of it is"),
    ):
        with pytest.raises(UnknownCommand, match=f"^command: {told}; types with a handler: Divide$"):
            await ops.call(wrong)


async def test_a_run_gives_the_finished_context_and_never_raises(ops: Opwright) -> None:
    divider(ops)
    good, bad = await ops.run(Divide(6, 3)), await ops.run(Divide(6, 0))
    assert (good.command, good.result, good.error, good.is_finished) == (Divide(6, 3), 2, None, True)
    assert (bad.result, bad.is_finished) == (None, True)
    assert isinstance(bad.error, ZeroDivisionError)


async def test_a_cancelled_call_cancels_its_handler(ops: Opwright) -> None:
    begun, ended = asyncio.Event(), list[str]()

    @ops.command
    async def divide(command: Divide) -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    run = asyncio.create_task(ops.run(Divide(1, 1)))
    await begun.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert ended == ["cancelled"]


async def test_recursion_nests_contexts_and_leaks_nothing_in_or_out(ops: Opwright) -> None:
    depths: list[int] = []

    @ops.command(name="sum")
    async def add(command: Sum, context: CommandContext) -> int:
        assert CommandContext.current() is context
        assert context.is_outermost == (context.outer is None)
        assert ambient.get() == ("none" if context.is_outermost else f"set at {len(command.numbers) + 1}")
        ambient.set(f"set at {len(command.numbers)}")
        depths.append(len(_chain(context)))
        first, *rest = command.numbers
        total = first + (await ops.call(Sum(rest)) if rest else 0)
        assert ambient.get() == f"set at {len(command.numbers)}"
        assert CommandContext.current() is context
        return total

    ambient.set("the caller's")
    assert await ops.call(Sum([1, 2, 3, 4])) == 10
    assert depths == [1, 2, 3, 4]
    assert CommandContext.current() is None
    assert ambient.get() == "the caller's"


def _chain(context: CommandContext) -> list[CommandContext]:
    chain = [context]
    while (outer := chain[-1].outer) is not None:
        chain.append(outer)
    assert chain[-1] is context.outermost
    return chain


async def test_the_current_trace_comes_along_into_an_outermost_command(ops: Opwright) -> None:
    @ops.command
    async def divide(command: Divide) -> Any:
        return tracing.get_value("span")

    token = tracing.attach(tracing.set_value("span", "of the request"))
    try:
        assert await ops.call(Divide(1, 1)) == "of the request"
    finally:
        tracing.detach(token)


async def test_an_isolated_call_is_outermost_even_within_another(ops: Opwright) -> None:
    found: list[CommandContext] = []

    @ops.command
    async def divide(command: Divide, context: CommandContext, scope: OperationScope) -> None:
        ambient.set("of the outer")
        await ops.call(Sum([1]), isolated=True)
        await ops.call(Sum([2]))

    @ops.command(name="sum")
    async def add(command: Sum, context: CommandContext, scope: OperationScope) -> None:
        found.append(context)
        assert ambient.get() == ("none" if context.is_outermost else "of the outer")

    await ops.call(Divide(1, 1))
    isolated, nested = found
    assert isolated.is_outermost
    assert not nested.is_outermost
    assert isolated.operation.id != nested.operation.id


async def test_what_a_task_calls_after_the_end_of_its_command_is_outermost(ops: Opwright) -> None:
    over, tasks = asyncio.Event(), list[asyncio.Task[CommandContext]]()

    @ops.command
    async def divide(command: Divide) -> None:
        async def later() -> CommandContext:
            await over.wait()
            return await ops.run(Sum([1]))

        tasks.append(asyncio.create_task(later()))

    @ops.command(name="sum")
    async def add(command: Sum) -> None: ...

    await ops.call(Divide(1, 1))
    over.set()
    assert (await tasks[0]).is_outermost


async def test_applications_do_not_nest_in_each_other(ops: Opwright) -> None:
    other, found = Opwright("sqlite:///never.db"), list[bool]()

    @other.command(name="sum")
    async def add(command: Sum, context: CommandContext) -> None:
        found.append(context.is_outermost)

    @ops.command
    async def divide(command: Divide) -> None:
        await other.call(Sum([1]))

    await ops.call(Divide(1, 1))
    assert found == [True]


# ----------------------------------------------------------------------------------------------- context items


async def test_the_items_of_a_context_are_set_and_got_by_type_or_by_name(ops: Opwright) -> None:
    @ops.command
    async def divide(command: Divide, context: CommandContext) -> None:
        context.items.set(Note("first"))
        context.items.set(Note("second"))
        context.items["cart"] = [3]
        assert context.items.get(Note) == Note("second")
        assert context.items.get(int, None) is None
        assert context.items["cart"] == [3]
        with pytest.raises(ItemMissing, match="no item of type int"):
            context.items.get(int)
        with pytest.raises(ItemMissing, match="named 'basket'"):
            _ = context.items["basket"]

    await ops.call(Divide(1, 1))


async def test_the_items_of_a_context_live_as_long_as_its_command_and_nobody_else_sees_them(ops: Opwright) -> None:
    seen: list[bool] = []

    @ops.command
    async def divide(command: Divide, context: CommandContext) -> None:
        seen.append(Note in context.items)
        context.items.set(Note("mine"))
        if command.divisor:
            await ops.call(Divide(1, 0))
        assert context.items.get(Note) == Note("mine")

    await ops.call(Divide(1, 1))
    await ops.call(Divide(1, 1))
    assert seen == [False] * 4


async def test_the_items_of_a_context_may_be_anything_and_never_reach_the_log(ops: Opwright) -> None:
    entries: list[Any] = []

    @ops.command(durable=False)
    async def place(order: PlaceOrder, context: CommandContext, scope: OperationScope) -> None:
        context.items.set(Note("in memory only"))
        context.items["handle"] = object()

    ops.commander.notifier.listen(lambda completion: _keep(entries, completion.entry))
    await ops.call(PlaceOrder(1))
    assert entries[0].items.encode() is None
    assert "memory" not in repr(entries)


async def _keep(entries: list[Any], entry: Any) -> None:
    entries.append(entry)


async def test_a_command_that_cannot_travel_is_refused_before_its_handler_runs(ops: Opwright) -> None:
    ran: list[object] = []

    @ops.command(durable=False)
    async def place(order: PlaceOrder, scope: OperationScope) -> None:
        ran.append(order)

    with pytest.raises(InvalidOperation, match="has no form in JSON"):
        await ops.call(PlaceOrder(1, float("nan")))
    assert not ran

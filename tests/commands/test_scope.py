"""Operation scopes without a database, and the completion of every scope."""

from __future__ import annotations

import asyncio
import re
from contextvars import ContextVar
from typing import Any

import pytest

from opwright import (
    CommandContext,
    InMemoryOperationScope,
    InvalidOperation,
    OperationScope,
    Opwright,
)
from opwright.testing import TurnedClock, relocated
from tests.commands.kit import Journal, ListScopeProvider, PlaceOrder, Sum, completions


async def test_a_transient_scope_is_given_to_a_handler_that_asks_and_completes_by_itself(ops: Opwright) -> None:
    scopes: list[OperationScope] = []

    @ops.command(durable=False)
    async def place(order: PlaceOrder, scope: OperationScope) -> int:
        scopes.append(scope)
        assert scope.is_committed is None
        return order.customer

    seen = completions(ops)
    assert await ops.call(PlaceOrder(7)) == 7
    (scope,) = scopes
    assert isinstance(scope, InMemoryOperationScope)
    assert (scope.is_transient, scope.is_committed) == (True, True)
    (completion,) = seen
    assert (completion.entry.id, completion.entry.command, completion.is_local) == (scope.id, "place", True)
    assert completion.entry.inputs == '{"customer":7,"amount":1.0}'


async def test_an_entry_is_logged_by_the_clock_of_the_application_wherever_that_has_moved(ops: Opwright) -> None:
    @ops.command(durable=False)
    async def place(order: PlaceOrder, scope: OperationScope) -> None: ...

    seen, clock = completions(ops), TurnedClock()
    async with relocated(ops, "sqlite:///never.db", clock=clock):
        await ops.call(PlaceOrder(1))
    assert seen[0].entry.logged_at == clock.now()


async def test_without_a_scope_there_is_no_completion(ops: Opwright) -> None:
    @ops.command
    async def place(order: PlaceOrder) -> None: ...

    seen = completions(ops)
    await ops.call(PlaceOrder(1))
    assert seen == []


async def test_what_has_something_to_invalidate_has_a_scope_without_asking(ops: Opwright) -> None:
    @ops.command
    async def place(order: PlaceOrder) -> None: ...

    @place.invalidates
    def _(order: PlaceOrder) -> None: ...

    seen = completions(ops)
    await ops.call(PlaceOrder(1))
    assert [completion.entry.command for completion in seen] == ["place"]


async def test_after_a_failure_nothing_is_completed(ops: Opwright) -> None:
    told: list[Any] = []

    @ops.command(durable=False)
    async def place(order: PlaceOrder, scope: OperationScope) -> None:
        scope.on_completion(told.append)
        scope.after_commit(lambda: told.append("after commit"))
        raise ZeroDivisionError

    seen = completions(ops)
    with pytest.raises(ZeroDivisionError):
        await ops.call(PlaceOrder(1))
    assert (seen, told) == ([], [False])


async def test_completion_handlers_are_told_of_a_commit_after_the_invalidation(ops: Opwright) -> None:
    told: list[Any] = []

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> None:
        async def committed(is_committed: bool) -> None:  # noqa: FBT001 - its shape is given
            told.append(is_committed)

        scope.on_completion(committed)
        scope.after_commit(lambda: told.append("after commit"))

    @place.invalidates
    def _(order: PlaceOrder) -> None:
        told.append("invalidated")

    await ops.call(PlaceOrder(1))
    assert told == ["invalidated", True, "after commit"]


async def test_what_a_completion_handler_raises_is_logged_and_changes_nothing(
    ops: Opwright, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> str:
        scope.after_commit(lambda: 1 // 0)
        scope.after_commit(lambda: told.append("the next one"))
        return "placed"

    assert await ops.call(PlaceOrder(1)) == "placed"
    assert told == ["the next one"]
    (record,) = [one for one in caplog.records if one.name == "opwright"]
    assert re.fullmatch(r"what waits for the end of place \(operation \d+, committed\) failed", record.getMessage())
    assert "ZeroDivisionError" in caplog.text


async def test_a_command_called_by_a_completion_handler_is_outermost(ops: Opwright) -> None:
    found: list[bool] = []

    @ops.command(name="sum")
    async def add(command: Sum, context: CommandContext) -> None:
        found.append(context.is_outermost)

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> None:
        scope.after_commit(lambda: ops.call(Sum([1])))

    await ops.call(PlaceOrder(1))
    assert found == [True]


async def test_a_closed_scope_takes_no_more_handlers(ops: Opwright) -> None:
    scopes: list[OperationScope] = []

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> None:
        scopes.append(scope)

    await ops.call(PlaceOrder(1))
    with pytest.raises(InvalidOperation, match="scope is closed"):
        scopes[0].after_commit(lambda: None)


async def test_a_cancellation_does_not_cut_the_completion_short(ops: Opwright) -> None:
    invalidating, go, done = asyncio.Event(), asyncio.Event(), list[str]()

    @ops.command
    async def place(order: PlaceOrder) -> None: ...

    @place.invalidates
    async def _(order: PlaceOrder) -> None:
        invalidating.set()
        await go.wait()
        done.append("invalidated")

    call = asyncio.create_task(ops.call(PlaceOrder(1)))
    await invalidating.wait()
    call.cancel()
    asyncio.get_running_loop().call_soon(go.set)
    with pytest.raises(asyncio.CancelledError):
        await call
    assert done == ["invalidated"]


async def test_a_completion_handler_may_limit_its_time_and_knows_nothing_of_the_command_around(ops: Opwright) -> None:
    """Its limit ends what it limits; what the handler of the command has set is not there, and a command is an outermost one."""
    ambient, found = ContextVar("ambient", default="nothing"), list[object]()

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> int:
        ambient.set("the handler's")
        scope.after_commit(late)
        return order.customer

    async def late() -> None:
        found.extend([ambient.get(), CommandContext.current()])
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError:
            found.append("late")

    assert await ops.call(PlaceOrder(7)) == 7
    assert found == ["nothing", None, "late"]


async def test_a_failure_after_the_commit_does_not_undo_it(ops: Opwright, journal: Journal) -> None:
    ops.commander.provide(ListScopeProvider(journal))
    told: list[bool] = []

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> None:
        scope.on_completion(told.append)

    @ops.command_filter(priority=5_000)
    async def late(order: PlaceOrder, context: CommandContext, call_next: Any) -> Any:
        await call_next()
        raise ZeroDivisionError

    seen = completions(ops)
    with pytest.raises(ZeroDivisionError):
        await ops.call(PlaceOrder(1))
    assert (len(seen), told, journal.rolled_back) == (1, [True], [])

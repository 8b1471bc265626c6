"""Operation scopes: opened when asked for, committed or rolled back, completed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from opwright import (
    CommandContext,
    Completion,
    ConfigurationError,
    InMemoryOperationScope,
    InvalidOperation,
    OperationScope,
    Opwright,
)
from opwright.testing import TurnedClock, relocated
from tests.commands.kit import Divide, Journal, ListScope, ListScopeProvider, Note, PlaceOrder, Sum, passed


def completions(ops: Opwright) -> list[Completion]:
    """Every completion from now on."""
    found: list[Completion] = []

    async def keep(completion: Completion) -> None:
        found.append(completion)

    ops.commander.notifier.listen(keep)
    return found


# ------------------------------------------------------------------------------------------------- transient


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
    assert "a completion handler of operation" in caplog.text
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


# --------------------------------------------------------------------------------------------------- durable


async def test_a_durable_scope_is_opened_when_it_is_asked_for_and_not_before(ops: Opwright, journal: Journal) -> None:
    ops.commander.provide(ListScopeProvider(journal))

    @ops.command
    async def divide(command: Divide) -> None: ...

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> None:
        assert isinstance(scope, ListScope)

    @ops.command(name="sum", durable=False)
    async def add(command: Sum, scope: OperationScope) -> None:
        assert isinstance(scope, InMemoryOperationScope)

    await ops.call(Divide(1, 1))
    await ops.call(Sum([1]))
    assert (journal.opened, journal.committed) == (0, [])
    await ops.call(PlaceOrder(1))
    assert journal.opened == 1
    assert [entry.command for entry in journal.committed] == ["place"]


async def test_a_nested_command_joins_the_scope_of_the_outer_one(ops: Opwright, journal: Journal) -> None:
    ops.commander.provide(ListScopeProvider(journal))
    ids: list[int] = []

    @ops.command(name="sum")
    async def add(command: Sum, scope: OperationScope) -> None:
        ids.append(scope.id)
        if len(command.numbers) > 1:
            await ops.call(Sum(command.numbers[1:]))

    await ops.call(Sum([1, 2, 3]))
    assert len(set(ids)) == 1
    assert len(journal.committed) == 1
    assert journal.opened == 1


async def test_a_nested_command_may_be_the_one_that_opens_the_scope(ops: Opwright, journal: Journal) -> None:
    ops.commander.provide(ListScopeProvider(journal))

    @ops.command
    async def divide(command: Divide) -> None:
        await ops.call(PlaceOrder(1))
        assert journal.committed == []  # the outer one decides

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> None: ...

    await ops.call(Divide(1, 1))
    assert [entry.command for entry in journal.committed] == ["divide"]


async def test_a_failure_in_the_middle_rolls_everything_back(ops: Opwright, journal: Journal) -> None:
    ops.commander.provide(ListScopeProvider(journal))
    told: list[bool] = []

    @ops.command(name="sum")
    async def add(command: Sum, scope: OperationScope) -> None:
        scope.on_completion(told.append)
        if len(command.numbers) == 1:
            raise ZeroDivisionError
        await ops.call(Sum(command.numbers[1:]))

    seen = completions(ops)
    with pytest.raises(ZeroDivisionError):
        await ops.call(Sum([1, 2]))
    assert (journal.committed, len(journal.rolled_back), told, seen) == ([], 1, [False, False], [])


async def test_a_commit_that_fails_fails_the_command(ops: Opwright, journal: Journal) -> None:
    ops.commander.provide(ListScopeProvider(journal))
    journal.refuse.append(ConnectionError("gone"))

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> None: ...

    seen = completions(ops)
    with pytest.raises(ConnectionError):
        await ops.call(PlaceOrder(1))
    assert (len(journal.rolled_back), seen) == (1, [])


async def test_an_attempt_after_a_rolled_back_one_has_a_fresh_scope_with_the_same_id(ops: Opwright, journal: Journal) -> None:
    ops.commander.provide(ListScopeProvider(journal))
    journal.refuse += [ConnectionError("gone"), ConnectionError("gone again")]
    ids: list[int] = []

    @ops.command_filter(priority=5_000)
    async def persistent(order: PlaceOrder, context: CommandContext, call_next: Any) -> Any:
        saved = context.save()
        while True:
            try:
                return await call_next()
            except ConnectionError:
                context.restore(saved)

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> int:
        assert scope.items.keyless_get(Note, None) is None
        scope.items.keyless_set(Note(f"attempt {len(ids)}"))
        await ops.call(Sum([len(ids)]))
        ids.append(scope.id)
        return len(ids)

    @ops.command(name="sum")
    async def add(command: Sum) -> None: ...

    add.invalidates(lambda _: None)
    assert await ops.call(PlaceOrder(1)) == 3
    assert len(set(ids)) == 1
    (entry,) = journal.committed
    assert entry.items.keyless_get(Note) == Note("attempt 2")
    assert [nested.inputs for nested in entry.nested] == ['{"numbers":[2]}']


async def test_a_scope_that_was_rolled_back_is_not_used_again(ops: Opwright, journal: Journal) -> None:
    ops.commander.provide(ListScopeProvider(journal))
    journal.refuse.append(ConnectionError("gone"))

    @ops.command_filter(priority=5_000)
    async def twice(order: PlaceOrder, context: CommandContext, call_next: Any) -> Any:
        with pytest.raises(ConnectionError):
            await call_next()
        return await call_next()

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> None: ...

    await ops.call(PlaceOrder(1))
    assert (journal.opened, len(journal.rolled_back), len(journal.committed)) == (2, 1, 1)


async def test_what_was_committed_is_not_run_again(ops: Opwright, journal: Journal) -> None:
    ops.commander.provide(ListScopeProvider(journal))
    runs: list[int] = []

    @ops.command_filter(priority=5_000)
    async def twice(order: PlaceOrder, context: CommandContext, call_next: Any) -> Any:
        await call_next()
        return await call_next()

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> None:
        runs.append(scope.id)

    with pytest.raises(InvalidOperation, match="is committed and takes nothing more"):
        await ops.call(PlaceOrder(1))
    assert (len(runs), len(journal.committed)) == (1, 1)


async def test_a_durable_command_within_a_transient_one_is_refused_unless_isolated(ops: Opwright, journal: Journal) -> None:
    ops.commander.provide(ListScopeProvider(journal))

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> None: ...

    @ops.command(durable=False)
    async def divide(command: Divide, scope: OperationScope) -> None:
        await ops.call(PlaceOrder(1), isolated=command.divisor == 1)

    with pytest.raises(ConfigurationError, match=r"place .*needs a durable scope.*divide .*transient.*isolated=True"):
        await ops.call(Divide(1, 0))
    assert journal.opened == 0
    await ops.call(Divide(1, 1))
    assert [entry.command for entry in journal.committed] == ["place"]


async def test_a_transient_command_within_a_durable_one_joins_it(ops: Opwright, journal: Journal) -> None:
    ops.commander.provide(ListScopeProvider(journal))

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> None:
        await ops.call(Divide(1, 1))

    @ops.command(durable=False)
    async def divide(command: Divide, scope: OperationScope) -> None:
        assert isinstance(scope, ListScope)

    await ops.call(PlaceOrder(1))
    assert len(journal.committed) == 1


async def test_what_invalidates_gets_no_scope(ops: Opwright) -> None:
    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> None: ...

    found: list[Exception | None] = []

    @ops.command
    async def divide(command: Divide) -> None: ...

    @divide.invalidates
    async def _(command: Divide) -> None:
        found.append((await ops.run(PlaceOrder(1))).error)

    await ops.call(Divide(1, 1))
    assert isinstance(found[0], InvalidOperation)
    assert "must change nothing" in str(found[0])


def test_a_filter_that_names_no_type_is_a_filter_for_all(ops: Opwright) -> None:
    ops.command_filter(priority=700)(passed)

    @ops.command
    async def divide(command: Divide) -> None: ...

    assert 700 in [step.priority for step in ops.pipeline(Divide)]

"""The seam for durable scopes: opened when asked for, committed or rolled back, run again."""

from __future__ import annotations

from typing import Any

import pytest

from opwright import (
    CommandContext,
    ConfigurationError,
    InMemoryOperationScope,
    InvalidOperation,
    OperationScope,
    Opwright,
)
from tests.commands.kit import Divide, Journal, ListScope, ListScopeProvider, Note, PlaceOrder, Sum, completions, passed


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


async def test_every_attempt_is_completed_whoever_makes_them(ops: Opwright, journal: Journal) -> None:
    """Here a filter of the application does."""
    ops.commander.provide(ListScopeProvider(journal))
    journal.refuse += [ConnectionError("gone"), ConnectionError("gone again")]
    told: list[tuple[int, bool]] = []

    @ops.command_filter(priority=5_000)
    async def persistent(order: PlaceOrder, context: CommandContext, call_next: Any) -> Any:
        saved = context.save()
        for _ in range(2):
            with pytest.raises(ConnectionError):
                await call_next()
            context.restore(saved)
        return await call_next()

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> None:
        attempt = journal.opened
        scope.on_completion(lambda committed: told.append((attempt, committed)))

    await ops.call(PlaceOrder(1))
    assert told == [(1, False), (2, False), (3, True)]


async def test_what_was_committed_is_invalidated_though_a_filter_forgets_it(ops: Opwright, journal: Journal) -> None:
    """It restores what an attempt began with, because something had failed after the commit."""
    ops.commander.provide(ListScopeProvider(journal))
    seen = completions(ops)

    @ops.command_filter(priority=5_000)
    async def twice(order: PlaceOrder, context: CommandContext, call_next: Any) -> Any:
        saved = context.save()
        await call_next()
        context.restore(saved)
        return await call_next()

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> None: ...

    with pytest.raises(InvalidOperation, match="is committed and takes nothing more"):
        await ops.call(PlaceOrder(1))
    assert [completion.entry for completion in seen] == journal.committed
    assert len(seen) == 1


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

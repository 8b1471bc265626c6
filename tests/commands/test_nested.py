"""Nested commands: recorded in order, each with its own items."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from opwright import LogEntry, OperationScope, Opwright
from tests.commands.kit import Journal, ListScopeProvider, Note, PlaceOrder, SetMany, Sum


class Cache:
    """Values by key, which a command sets and an invalidation drops."""

    def __init__(self, ops: Opwright) -> None:
        self.values: dict[str, int] = {}
        self.dropped: list[str] = []

        @ops.command
        async def set_many(command: SetMany, scope: OperationScope) -> None:
            first, *rest = command.keys
            self.values[first] = command.value
            scope.items.keyless_set(Note(first))
            if rest:
                await ops.call(SetMany(rest, command.value - 1))
            assert scope.items.keyless_get(Note) == Note(first)

        @set_many.invalidates
        def _(command: SetMany, entry: LogEntry) -> None:
            assert entry.items.keyless_get(Note) == Note(command.keys[0])
            self.dropped.append(command.keys[0])


async def test_a_recursive_set_many_invalidates_each_key_the_innermost_first(ops: Opwright) -> None:
    cache = Cache(ops)
    await ops.call(SetMany(["a", "b", "c"], 3))
    assert cache.values == {"a": 3, "b": 2, "c": 1}
    assert cache.dropped == ["c", "b", "a"]


async def test_the_items_of_a_nested_command_stay_apart_from_those_around_it(ops: Opwright, journal: Journal) -> None:
    ops.commander.provide(ListScopeProvider(journal))
    Cache(ops)
    await ops.call(SetMany(["a", "b"], 2))
    (entry,) = journal.committed
    assert entry.items.keyless_get(Note) == Note("a")
    assert [(nested.command, nested.inputs) for nested in entry.nested] == [("set_many", '{"keys":["b"],"value":1}')]
    assert entry.nested[0].items.keyless_get(Note) == Note("b")


async def test_parallel_nested_commands_do_not_mix_their_items(ops: Opwright, journal: Journal) -> None:
    ops.commander.provide(ListScopeProvider(journal))
    together = asyncio.Barrier(3)

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> None:
        scope.items.keyless_set(Note("outer"))
        await asyncio.gather(*(ops.call(Sum([number])) for number in range(3)))
        assert scope.items.keyless_get(Note) == Note("outer")

    @ops.command(name="sum")
    async def add(command: Sum, scope: OperationScope) -> None:
        await together.wait()
        scope.items.keyless_set(Note(f"number {command.numbers[0]}"))
        await together.wait()
        scope.items.keyless_set(command.numbers[0])

    add.invalidates(lambda _: None)
    await ops.call(PlaceOrder(1))
    (entry,) = journal.committed
    left = {nested.inputs: (nested.items.keyless_get(Note).text, nested.items.keyless_get(int)) for nested in entry.nested}
    assert left == {f'{{"numbers":[{number}]}}': (f"number {number}", number) for number in range(3)}
    assert entry.items.keyless_get(Note) == Note("outer")
    assert entry.items.keyless_get(int, None) is None


async def test_a_nested_command_without_anything_to_invalidate_is_not_recorded_and_speaks_for_the_outer_one(
    ops: Opwright, journal: Journal
) -> None:
    ops.commander.provide(ListScopeProvider(journal))

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> None:
        await ops.call(Sum([1]))

    @ops.command(name="sum")
    async def add(command: Sum, scope: OperationScope) -> None:
        scope.items.keyless_set(Note("for the outer one"))

    await ops.call(PlaceOrder(1))
    (entry,) = journal.committed
    assert entry.nested == ()
    assert entry.items.keyless_get(Note) == Note("for the outer one")


async def test_a_nested_command_that_failed_is_recorded_if_the_outer_one_goes_on(ops: Opwright, journal: Journal) -> None:
    ops.commander.provide(ListScopeProvider(journal))

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> None:
        with pytest.raises(ZeroDivisionError):
            await ops.call(Sum([1]))

    @ops.command(name="sum")
    async def add(command: Sum, scope: OperationScope) -> None:
        scope.items.keyless_set(Note("half done"))
        raise ZeroDivisionError

    add.invalidates(lambda _: None)
    await ops.call(PlaceOrder(1))
    assert [nested.items.keyless_get(Note).text for nested in journal.committed[0].nested] == ["half done"]


async def test_an_isolated_command_is_an_operation_of_its_own(ops: Opwright, journal: Journal) -> None:
    ops.commander.provide(ListScopeProvider(journal))

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> None:
        scope.items.keyless_set(Note("outer"))
        await ops.call(Sum([1]), isolated=True)

    @ops.command(name="sum")
    async def add(command: Sum, scope: OperationScope) -> None:
        assert scope.items.keyless_get(Note, None) is None

    add.invalidates(lambda _: None)
    await ops.call(PlaceOrder(1))
    committed: list[Any] = [(entry.command, entry.nested) for entry in journal.committed]
    assert committed == [("sum", ()), ("place", ())]

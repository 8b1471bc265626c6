"""The recursive scenarios of the Fusion operations framework's own tests, on a real database of each kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from opwright import OperationScope, Opwright
from tests.commands.durable.kit import AddMany, Other, entries, insert, users
from tests.commands.kit import completions
from tests.contract.kit import query


@dataclass(frozen=True)
class SetMany:
    keys: list[str]


def recursive(ops: Opwright, told: list[bool], *, fails_at: str | None = None) -> None:
    """Insert one, and have a nested command insert the others; each level asks for the connection twice."""

    @ops.command
    async def add_many(command: AddMany, scope: OperationScope) -> None:
        scope.on_completion(told.append)
        first, *others = command.names
        await insert(await scope.connection(), first)
        if first == fails_at:
            raise ValueError(first)
        if others:
            await ops.call(AddMany(others))
        assert await scope.connection() is await scope.connection()

    add_many.invalidates(lambda _: None)


async def test_nested_inserts(ops: Opwright) -> None:
    """Two users, exactly one entry, and every level is told of the commit."""
    told, seen = list[bool](), completions(ops)
    recursive(ops, told)
    await ops.call(AddMany(["ann", "bob"]))
    (entry,) = await entries(ops)
    assert await users(ops) == ["ann", "bob"]
    assert [nested.inputs for nested in entry.nested] == ['{"names":["bob"]}']
    assert told == [True, True]
    assert [completion.entry for completion in seen] == [entry]


@pytest.mark.parametrize("fails_at", ["ann", "bob", "cat"])
async def test_partial_failure(ops: Opwright, fails_at: str) -> None:
    """No user and no entry, at whatever level it fails, and every level that was reached is told that nothing is committed."""
    told, seen = list[bool](), completions(ops)
    recursive(ops, told, fails_at=fails_at)
    with pytest.raises(ValueError, match=fails_at):
        await ops.call(AddMany(["ann", "bob", "cat"]))
    assert (await users(ops), await entries(ops), seen) == ([], [], [])
    assert told == [False] * (["ann", "bob", "cat"].index(fails_at) + 1)


async def test_a_failure_that_is_caught_is_no_failure_of_what_is_around_it(ops: Opwright) -> None:
    """There is one transaction: what the nested command wrote before it failed stands, and so does its part of the entry."""
    told: list[bool] = []
    recursive(ops, told, fails_at="bob")

    @ops.command
    async def attempt(command: Other, scope: OperationScope) -> None:
        assert (await ops.run(AddMany(["ann", "bob"]))).error is not None

    await ops.call(Other())
    (entry,) = await entries(ops)
    assert (await users(ops), entry.command, len(entry.nested)) == (["ann", "bob"], "attempt", 2)


async def test_set_many(ops: Opwright) -> None:
    """Each level sets one key; all three values that were computed before are invalid once the call has returned."""
    store = await ops.client.store()
    await query(store, "create table pairs (key text primary key, value text)")

    @ops.computed
    async def get(key: str) -> Any:
        found = await query(store, f"select value from pairs where key = '{key}'")
        return found[0][0] if found else None

    @ops.command
    async def set_many(command: SetMany, scope: OperationScope) -> None:
        connection = await scope.connection()
        statement = f"insert into pairs values ('{command.keys[0]}', 'v{len(command.keys)}')"
        answer = connection.execute(statement)
        if hasattr(answer, "__await__"):
            await answer
        if len(command.keys) > 1:
            await ops.call(SetMany(command.keys[1:]))

    @set_many.invalidates
    def _(command: SetMany) -> None:
        get.invalidate(command.keys[0])

    keys = ["a", "b", "c"]
    assert [await get(key) for key in keys] == [None, None, None]
    await ops.call(SetMany(keys))
    assert [await get(key) for key in keys] == ["v3", "v2", "v1"]
    assert len(await entries(ops)) == 1

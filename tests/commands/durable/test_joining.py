"""What is submitted in a durable scope is written in its transaction."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from opwright import InvalidOperation, KeyTaken, OperationScope, Opwright, ScopeExpired
from opwright.testing import drain
from tests.commands.durable.kit import AddUser, Other, adding, entries, insert, users
from tests.operations.kit import eventually, rows

sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_submit_in_a_scope_is_committed_with_it(ops: Opwright) -> None:
    done: list[int] = []

    @ops.operation
    async def send(number: int) -> None:
        done.append(number)

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        handle = await send.submit(1)
        await send.submit_many([(2,), (3,)])
        assert handle.id > 0
        assert await rows(ops) == {}
        await insert(await scope.connection(), command.name)

    await ops.call(AddUser("ann"))
    await drain(ops)
    assert (sorted(done), await users(ops)) == ([1, 2, 3], ["ann"])


async def test_a_command_that_fails_has_submitted_nothing(ops: Opwright) -> None:
    @ops.operation
    async def send() -> None: ...

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        await send.submit()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ops.call(AddUser("ann"))
    assert (await rows(ops), await entries(ops)) == ({}, [])


async def test_a_nested_command_that_asks_for_no_scope_submits_in_the_one_around_it(ops: Opwright) -> None:
    @ops.operation
    async def send() -> None: ...

    @ops.command
    async def other(command: Other) -> None:
        await send.submit()

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        await ops.call(Other())
        assert await rows(ops) == {}
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ops.call(AddUser("ann"))
    assert await rows(ops) == {}


async def test_without_a_scope_a_submit_stands_alone(ops: Opwright) -> None:
    @ops.operation
    async def send() -> None: ...

    @ops.command
    async def other(command: Other) -> None:
        await send.submit()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ops.call(Other())
    assert (await rows(ops))["operations"] == 1


async def test_a_submit_that_is_refused_leaves_the_scope_as_it_was(ops: Opwright) -> None:
    @ops.operation
    async def send() -> None: ...

    await send.options(key="one").submit()

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        await insert(await scope.connection(), command.name)
        with pytest.raises(KeyTaken):
            await send.options(key="one").submit()

    await ops.call(AddUser("ann"))
    assert (await users(ops), (await rows(ops))["operations"]) == (["ann"], 1)


async def test_submits_at_the_same_time_take_turns(ops: Opwright) -> None:
    @ops.operation
    async def send(number: int) -> None: ...

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        await asyncio.gather(*(send.submit(number) for number in range(10)))

    await ops.call(Other())
    assert (await rows(ops))["operations"] == 10


async def test_a_blocking_submit_in_a_scope_is_refused(ops: Opwright) -> None:
    @ops.operation
    async def send() -> None: ...

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        send.submit().now()

    with pytest.raises(
        InvalidOperation, match=r"^`.now\(\)` would block the event loop in which the scope of this command is: await the submit"
    ):
        await ops.call(Other())


async def test_a_host_hears_of_it_after_the_commit(ops: Opwright) -> None:
    """At once, though it looks by itself only once an hour."""
    begun = asyncio.Event()

    @ops.operation
    async def send() -> None:
        begun.set()

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        await send.submit()

    async with ops.host(pool="inline", heartbeat=3600.0) as host:
        await eventually(lambda: _ready(host), "a host that is ready")
        await ops.call(Other())
        await asyncio.wait_for(begun.wait(), 10)


async def _ready(host: object) -> bool:
    return bool(host.free())  # type: ignore[attr-defined]


# ------------------------------------------------------------------------------------------ SQLite has one writer


@sqlite
async def test_a_scope_that_outlives_the_busy_time_fails_and_says_why(ops: Opwright) -> None:
    (await ops.client.store()).engine.busy = 0.1  # type: ignore[attr-defined]

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        connection = await scope.connection()
        await insert(connection, "late")
        await eventually(lambda: _expired(scope), "the end of the busy time")
        await insert(connection, "later")

    with pytest.raises(ScopeExpired, match=r"other: .* more than 0.1 s.*nobody else could write.*or use PostgreSQL"):
        await ops.call(Other())
    assert (await users(ops), await entries(ops)) == ([], [])


@sqlite
async def test_a_scope_that_has_outlived_the_busy_time_is_not_committed(ops: Opwright) -> None:
    (await ops.client.store()).engine.busy = 0.1  # type: ignore[attr-defined]

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        await insert(await scope.connection(), "late")
        await eventually(lambda: _expired(scope), "the end of the busy time")

    with pytest.raises(ScopeExpired):
        await ops.call(Other())
    assert (await users(ops), await entries(ops)) == ([], [])


@sqlite
async def test_an_isolated_command_that_waits_for_the_scope_around_it_gets_its_turn(ops: Opwright) -> None:
    """The outer one fails with the reason and what to do, instead of both waiting for ever."""
    engine: Any = (await ops.client.store()).engine
    engine.busy = 1.0
    adding(ops)

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        await insert(await scope.connection(), "outer")
        engine.busy = 60.0  # for the inner one, whose own time must not end as well, however long it takes
        await ops.call(AddUser("inner"), isolated=True)

    with pytest.raises(ScopeExpired, match=r"call AddUser, which is isolated .* before the first write or in scope.after_commit"):
        await ops.call(Other())
    assert await users(ops) == ["inner"]


@sqlite
async def test_an_isolated_command_that_has_ended_is_not_to_blame(ops: Opwright) -> None:
    """The advice is about what takes long."""
    engine = (await ops.client.store()).engine
    adding(ops)

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        await ops.call(AddUser("inner"), isolated=True)
        engine.busy = 0.1  # type: ignore[attr-defined]
        await insert(await scope.connection(), "late")
        await eventually(lambda: _expired(scope), "the end of the busy time")

    with pytest.raises(ScopeExpired, match=r"rolled back: do what takes long before the first write"):
        await ops.call(Other())


async def _expired(scope: OperationScope) -> bool:
    return scope.expiry is not None  # type: ignore[attr-defined]

"""Data, log entry and submits of a durable command are one transaction, which begins when something is written first."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from opwright import (
    CommandContext,
    DbOperationScope,
    DbOperationScopeProvider,
    InMemoryOperationScope,
    InvalidOperation,
    OperationScope,
    Opwright,
    StoreBusy,
)
from opwright.model.log_entry import LogEntry
from opwright.store.engine import Lane
from tests.commands.durable.kit import AddMany, AddUser, Other, adding, entries, insert, users
from tests.commands.kit import Note, completions
from tests.contract.kit import query

sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def test_the_provider_of_durable_scopes_stands_at_1000(ops: Opwright) -> None:
    adding(ops)
    assert DbOperationScopeProvider.priority == 1_000
    assert (1_000, "DbOperationScopeProvider") in ops.pipeline(AddUser)


async def test_what_a_command_writes_and_its_log_entry_are_committed_together(ops: Opwright) -> None:
    seen = completions(ops)

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> str:
        assert isinstance(scope, DbOperationScope)
        assert (scope.is_transient, scope.is_committed) == (False, None)
        scope.items.keyless_set(Note("new"))
        await insert(await scope.connection(), command.name)
        assert await users(ops) == []
        return command.name

    assert await ops.call(AddUser("ann")) == "ann"
    (entry,) = await entries(ops)
    assert await users(ops) == ["ann"]
    assert (entry.command, entry.inputs, entry.origin) == ("add_user", '{"name":"ann"}', ops.commander.origin)
    assert entry.items.keyless_get(Note) == Note("new")
    assert [completion.entry for completion in seen] == [entry]


async def test_a_command_that_fails_leaves_neither_row_nor_entry(ops: Opwright) -> None:
    told: list[bool] = []

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        scope.on_completion(told.append)
        await insert(await scope.connection(), command.name)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ops.call(AddUser("ann"))
    assert (await users(ops), await entries(ops), told) == ([], [], [False])
    await _still_works(ops)


async def test_a_command_that_is_cancelled_leaves_nothing_and_its_connection_is_not_used_again(ops: Opwright) -> None:
    written, used = asyncio.Event(), list[Any]()

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        connection = await scope.connection()
        used.append(connection)
        await insert(connection, command.name)
        written.set()
        await asyncio.Event().wait()

    call = asyncio.create_task(ops.call(AddUser("ann")))
    await written.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await users(ops), await entries(ops)) == ([], [])
    await _still_works(ops, used)
    assert used[0] is not used[1]


@postgresql
async def test_the_connection_of_a_command_that_failed_is_used_again_without_what_it_set(ops: Opwright) -> None:
    used: list[int] = []

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> str:
        connection = await scope.connection()
        used.append(connection.get_server_pid())
        if command.name == "bad":
            await connection.execute("set search_path = elsewhere; select pg_advisory_lock(7)")
            raise ZeroDivisionError
        return str(await connection.fetchval("show search_path"))

    with pytest.raises(ZeroDivisionError):
        await ops.call(AddUser("bad"))
    assert "public" in await ops.call(AddUser("good"))
    assert used[0] == used[1]


LASTING: dict[str, Callable[[Any], Any]] = {
    "a setting": lambda connection: connection.execute("pragma foreign_keys = on"),
    "a table of its own": lambda connection: connection.execute("create temp table mine (number integer)"),
    "a function": lambda connection: connection.create_function("seven", 0, lambda: 7),
    "a callback": lambda connection: connection.set_trace_callback(lambda _: None),
}


@sqlite
@pytest.mark.parametrize("install", LASTING.values(), ids=LASTING)
async def test_a_connection_to_a_file_is_used_again_unless_something_would_outlive_the_scope(
    ops: Opwright, install: Callable[[Any], Any]
) -> None:
    used: list[Any] = []

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        connection = await scope.connection()
        used.append(connection)
        assert connection.row_factory is sqlite3.Row
        connection.row_factory = None
        await insert(connection, command.name)
        if command.name == "second":
            install(connection)

    for name in ("first", "second", "third", "fourth"):
        await ops.call(AddUser(name))
    assert used[0] is used[1]
    assert used[1] is not used[2]
    assert used[2] is used[3]
    assert len(await users(ops)) == 4


async def test_a_scope_that_nothing_is_written_in_still_writes_its_entry(ops: Opwright) -> None:
    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> None: ...

    @ops.command
    async def other(command: Other) -> None: ...

    await ops.call(AddUser("ann"))
    await ops.call(Other())  # it asks for no scope
    assert [entry.command for entry in await entries(ops)] == ["add_user"]


async def test_what_has_something_to_invalidate_is_logged_without_asking_for_a_scope(ops: Opwright) -> None:
    @ops.command
    async def other(command: Other) -> None: ...

    told: list[int] = []
    other.invalidates(lambda command: told.append(command.number))
    await ops.call(Other(7))
    assert told == [7]
    assert [entry.command for entry in await entries(ops)] == ["other"]


async def test_the_transaction_begins_with_the_first_use_and_not_before(ops: Opwright) -> None:
    """On SQLite nobody else could write meanwhile."""

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        await query(await ops.client.store(), "insert into users values ('elsewhere')")
        await insert(await scope.connection(), command.name)

    await ops.call(AddUser("ann"))
    assert await users(ops) == ["ann", "elsewhere"]


async def test_nested_commands_write_in_the_transaction_around_them(ops: Opwright) -> None:
    adding(ops)

    @ops.command
    async def add_many(command: AddMany, scope: OperationScope) -> None:
        await insert(await scope.connection(), "first")
        for name in command.names:
            await ops.call(AddUser(name))
        assert await users(ops) == []

    await ops.call(AddMany(["ann", "bob"]))
    assert await users(ops) == ["ann", "bob", "first"]
    assert [entry.command for entry in await entries(ops)] == ["add_many"]


async def test_nested_commands_at_the_same_time_share_one_transaction(ops: Opwright) -> None:
    adding(ops)
    asked: set[int] = set()

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        asked.add(id(await scope.connection()))

    @ops.command
    async def add_many(command: AddMany, scope: OperationScope) -> None:
        await asyncio.gather(*(ops.call(Other(number)) for number in range(5)))

    await ops.call(AddMany([]))
    assert len(asked) == 1


async def test_an_isolated_command_has_a_transaction_of_its_own(ops: Opwright) -> None:
    adding(ops)

    @ops.command
    async def add_many(command: AddMany, scope: OperationScope) -> None:
        for name in command.names:
            await ops.call(AddUser(name), isolated=True)
        await insert(await scope.connection(), "outer")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ops.call(AddMany(["ann"]))
    assert await users(ops) == ["ann"]


@postgresql
async def test_scopes_that_wait_for_each_others_connections_end_with_the_reason(
    ops: Opwright, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two connections, and two commands that hold them and want a third."""
    engine: Any = (await ops.client.store()).engine
    engine._lanes[Lane.OWN]._places = asyncio.Semaphore(2)
    full = asyncio.Barrier(2)
    adding(ops, retries=0)

    @ops.command(retries=0)
    async def other(command: Other, scope: OperationScope) -> None:
        await scope.connection()
        await full.wait()
        monkeypatch.setattr("opwright.commands.db_transaction.PATIENCE", 0.2)
        await ops.call(AddUser("ann"), isolated=True)

    runs = await asyncio.gather(*(ops.run(Other(number)) for number in range(2)))
    errors = [run.error for run in runs if run.error is not None]
    assert errors
    assert all(isinstance(error, StoreBusy) and "isolated commands, which need one each" in str(error) for error in errors)
    assert len(await users(ops)) == 2 - len(errors)


@sqlite
async def test_a_scope_that_waits_for_the_one_around_it_ends_with_the_reason(
    ops: Opwright, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only one can write, and who waits for it is told in time."""
    monkeypatch.setattr("opwright.commands.db_transaction.PATIENCE", 0.2)
    adding(ops, retries=0)

    @ops.command(retries=0)
    async def other(command: Other, scope: OperationScope) -> None:
        await insert(await scope.connection(), "outer")
        await ops.call(AddUser("ann"), isolated=True)

    with pytest.raises(StoreBusy, match="isolated commands, which need one each"):
        await ops.call(Other())
    assert await users(ops) == []


async def test_a_transient_scope_has_no_connection(ops: Opwright) -> None:
    @ops.command(durable=False)
    async def other(command: Other, scope: OperationScope) -> None:
        assert isinstance(scope, InMemoryOperationScope)
        await scope.connection()

    with pytest.raises(InvalidOperation, match="the operation scope is transient"):
        await ops.call(Other())
    assert await entries(ops) == []


async def test_a_scope_that_is_decided_takes_nothing_more(ops: Opwright) -> None:
    kept: list[OperationScope] = []

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        kept.append(scope)

    await ops.call(Other())
    with pytest.raises(InvalidOperation, match="the operation scope is closed"):
        await kept[0].connection()


async def test_a_command_cancelled_while_it_commits_is_committed_as_a_whole(
    ops: Opwright, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, committing, go = completions(ops), asyncio.Event(), asyncio.Event()
    adding(ops)
    write = DbOperationScope._write

    async def slowly(scope: DbOperationScope, store: Any, plan: Any) -> None:
        committing.set()
        await go.wait()
        await write(scope, store, plan)

    monkeypatch.setattr(DbOperationScope, "_write", slowly)
    call = asyncio.create_task(ops.call(AddUser("ann")))
    await committing.wait()
    call.cancel()
    await asyncio.sleep(0)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await users(ops), len(await entries(ops)), len(seen)) == (["ann"], 1, 1)


async def test_a_time_limit_around_a_command_does_not_cut_its_commit_short(
    ops: Opwright, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of a filter, which cancels the command from inside."""
    seen, limits, expired, write = completions(ops), list[asyncio.Timeout](), asyncio.Event(), DbOperationScope._write
    adding(ops)

    @ops.command_filter(priority=5_000)
    async def limited(command: AddUser, context: CommandContext, call_next: Any) -> Any:
        async with asyncio.timeout(None) as limit:
            limits.append(limit)
            return await call_next()

    async def slowly(scope: DbOperationScope, store: Any, plan: Any) -> None:
        limits[0].reschedule(0.0)
        asyncio.get_running_loop().call_soon(expired.set)
        await expired.wait()
        await write(scope, store, plan)

    monkeypatch.setattr(DbOperationScope, "_write", slowly)
    with pytest.raises(TimeoutError):
        await ops.call(AddUser("ann"))
    assert (await users(ops), len(await entries(ops)), len(seen)) == (["ann"], 1, 1)


@pytest.mark.parametrize("word", ["commit", "rollback"])
async def test_a_handler_that_ends_the_transaction_itself_is_refused(ops: Opwright, word: str) -> None:
    """Its entry would be alone in another one."""

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        connection = await scope.connection()
        await insert(connection, command.name)
        if isinstance(answer := connection.execute(word), Awaitable):
            await answer

    with pytest.raises(InvalidOperation, match="add_user has ended the transaction of its scope, which ends it by itself"):
        await ops.call(AddUser("ann"))
    assert await entries(ops) == []


async def test_a_scope_outside_of_any_open_application_opens_the_database(database_url: str) -> None:
    ops = Opwright(database_url)

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None: ...

    await ops.call(Other())
    found: list[LogEntry] = await entries(ops)
    await ops.client.close()
    assert [entry.command for entry in found] == ["other"]


async def test_the_items_of_an_operation_are_kept_as_json(ops: Opwright) -> None:
    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        scope.items.keyless_set(Note("Grüße"))

    await ops.call(Other())
    ((items,),) = await query(await ops.client.store(), "select cast(items as text) from opwright.operation_log")
    assert items == '{"Note":{"text":"Grüße"}}'


async def _still_works(ops: Opwright, used: list[Any] | None = None) -> None:
    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        connection = await scope.connection()
        if used is not None:
            used.append(connection)
        await insert(connection, "after")

    await ops.call(Other())
    assert await users(ops) == ["after"]

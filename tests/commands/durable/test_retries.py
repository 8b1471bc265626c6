"""A command whose transaction fails for a reason that passes is run again as a whole, under the same id."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from functools import partial
from typing import Any

import pytest

from opwright import CommandContext, ConfigurationError, InvalidOperation, OperationScope, Opwright, StoreBusy
from opwright.errors import StoreConflict
from opwright.store import own
from opwright.telemetry import recorded
from tests.commands.durable.kit import AddUser, Other, entries, insert, users
from tests.commands.kit import Note
from tests.contract.kit import query
from tests.operations.kit import rows

postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_after_two_failures_that_pass_a_command_succeeds_with_one_id_and_three_runs(
    ops: Opwright, caplog: pytest.LogCaptureFixture
) -> None:
    ids: list[int] = []

    @ops.operation
    async def send() -> None: ...

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope, context: CommandContext) -> int:
        ids.append(scope.id)
        assert (context.items.get(int, None), scope.items.keyless_get(Note, None)) == (None, None)
        context.items.set(7)
        scope.items.keyless_set(Note(f"run {len(ids)}"))
        await insert(await scope.connection(), command.name)
        await send.submit()
        await ops.call(Other(len(ids)))
        if len(ids) < 3:
            raise StoreConflict("a deadlock")
        return len(ids)

    @ops.command
    async def other(command: Other) -> None: ...

    other.invalidates(lambda _: None)
    with recorded() as events:
        assert await ops.call(AddUser("ann")) == 3
    (entry,) = await entries(ops)
    assert set(ids) == {entry.id}
    assert await users(ops) == ["ann"]
    assert (await rows(ops))["operations"] == 1
    assert entry.items.keyless_get(Note) == Note("run 3")
    assert [nested.inputs for nested in entry.nested] == ['{"number":3}']
    retried = [fields for name, fields in events if name == "command.retried"]
    assert [fields["attempt"] for fields in retried] == [1, 2]
    assert all(fields["pause"] > 0 for fields in retried)
    told = [re.sub(r"\d\.\d\d s", "SOME s", record.getMessage()) for record in caplog.records]
    assert told == [f"add_user: attempt {number} failed, and is made again in SOME s: a deadlock" for number in (1, 2)]


async def test_what_an_attempt_that_failed_wanted_done_after_the_commit_is_not_done(ops: Opwright) -> None:
    runs, done = list[int](), list[Any]()

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        runs.append(scope.id)
        scope.after_commit(partial(done.append, len(runs)))
        scope.on_completion(partial(lambda run, committed: done.append((run, committed)), len(runs)))
        if len(runs) == 1:
            raise StoreConflict("a deadlock")

    await ops.call(Other())
    assert done == [(1, False), 2, (2, True)]


@pytest.mark.parametrize("retries", [0, 2])
async def test_a_command_is_run_again_as_often_as_it_says(ops: Opwright, retries: int) -> None:
    runs: list[int] = []

    @ops.command(retries=retries)
    async def other(command: Other, scope: OperationScope) -> None:
        runs.append(scope.id)
        raise StoreConflict("a deadlock")

    with pytest.raises(StoreConflict):
        await ops.call(Other())
    assert len(runs) == retries + 1


async def test_an_error_that_does_not_pass_is_not_tried_again(ops: Opwright) -> None:
    runs: list[int] = []

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        runs.append(scope.id)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ops.call(Other())
    assert len(runs) == 1


async def test_a_command_without_a_durable_scope_is_not_run_again(ops: Opwright) -> None:
    """Nobody could undo what it has done."""
    runs: list[int] = []

    @ops.command(durable=False)
    async def other(command: Other, scope: OperationScope) -> None:
        runs.append(scope.id)
        raise StoreConflict("a deadlock")

    with pytest.raises(StoreConflict):
        await ops.call(Other())
    assert len(runs) == 1


async def test_what_a_handler_has_committed_itself_is_not_run_again(ops: Opwright) -> None:
    runs: list[int] = []

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        runs.append(scope.id)
        await insert(await scope.connection(), command.name)
        await scope.commit()
        raise StoreConflict("a deadlock")

    with pytest.raises(StoreConflict):
        await ops.call(AddUser("ann"))
    assert (len(runs), await users(ops), len(await entries(ops))) == (1, ["ann"], 1)


@pytest.mark.parametrize("retries", [-1, True, 1.5, "2"])
def test_retries_are_a_whole_number(ops: Opwright, retries: Any) -> None:
    with pytest.raises((InvalidOperation, ConfigurationError), match="retries"):

        @ops.command(retries=retries)
        async def other(command: Other) -> None: ...


async def test_a_cancellation_ends_the_pause_between_two_attempts(ops: Opwright, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opwright.commands.db_scope_provider.FIRST_PAUSE", 3600.0)
    monkeypatch.setattr("opwright.commands.db_scope_provider.LONGEST_PAUSE", 3600.0)
    failed = asyncio.Event()

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        scope.on_completion(lambda _: failed.set())
        raise StoreConflict("a deadlock")

    call = asyncio.create_task(ops.call(Other()))
    await failed.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await entries(ops) == []


async def test_who_waits_for_the_end_of_an_attempt_is_told_once_though_the_call_is_cancelled_meanwhile(ops: Opwright) -> None:
    begun, go, told = asyncio.Event(), asyncio.Event(), list[bool]()

    async def tell(committed: bool) -> None:  # noqa: FBT001 - as it is called
        told.append(committed)
        begun.set()
        await go.wait()

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        scope.on_completion(tell)
        raise StoreConflict("a deadlock")

    call = asyncio.create_task(ops.call(Other()))
    await begun.wait()
    call.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert told == [False]


# -------------------------------------------------------------------------------------- what the databases say


@postgresql
async def test_a_serialization_failure_passes(ops: Opwright) -> None:
    """Two that read and then write the same row: one of them is run again, on the whole."""
    await query(await ops.client.store(), "create table counters as select 0 as value")
    both, runs = asyncio.Barrier(2), list[int]()

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        connection = await scope.connection()
        await connection.execute("set transaction isolation level repeatable read")
        value = await connection.fetchval("select value from counters")
        runs.append(value)
        if len(runs) <= 2:
            await both.wait()
        await connection.execute("update counters set value = $1", value + 1)

    await asyncio.gather(ops.call(Other(1)), ops.call(Other(2)))
    assert (runs, await query(await ops.client.store(), "select value from counters")) == ([0, 0, 1], [(2,)])


@postgresql
async def test_a_deadlock_passes(ops: Opwright) -> None:
    await query(await ops.client.store(), "create table rows as select id, 0 as value from generate_series(1, 2) id")
    both, ended, runs = asyncio.Barrier(2), asyncio.Event(), list[int]()

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        runs.append(command.number)
        if len(runs) > 2:  # not before the one that was not refused has got its rows: the two might meet once more
            await asyncio.wait_for(ended.wait(), 20)
        connection = await scope.connection()
        await connection.execute("set local deadlock_timeout = '10ms'")
        await connection.execute("update rows set value = value + 1 where id = $1", command.number)
        if len(runs) <= 2:
            await both.wait()
        await connection.execute("update rows set value = value + 1 where id = $1", 3 - command.number)

    async def call(number: int) -> None:
        await ops.call(Other(number))
        ended.set()

    await asyncio.gather(call(1), call(2))
    assert len(runs) == 3
    assert await query(await ops.client.store(), "select value from rows order by id") == [(2,), (2,)]


@postgresql
async def test_a_connection_that_is_killed_passes(ops: Opwright) -> None:
    killed: list[int] = []

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        connection = await scope.connection()
        await insert(connection, command.name)
        if not killed:
            killed.append(connection.get_server_pid())
            await query(await ops.client.store(), f"select pg_terminate_backend({killed[0]}, 10000)")

    await ops.call(AddUser("ann"))
    assert (await users(ops), len(await entries(ops)), len(killed)) == (["ann"], 1, 1)


@sqlite
async def test_a_busy_file_passes(ops: Opwright, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "PATIENCE", 0.05)
    store, runs = await ops.client.store(), list[int]()
    writer = sqlite3.connect(store.engine.path, isolation_level=None)  # type: ignore[attr-defined]
    writer.execute("begin immediate")

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        runs.append(scope.id)
        if len(runs) == 3:
            writer.execute("rollback")
        await insert(await scope.connection(), command.name)

    with recorded() as events:
        await ops.call(AddUser("ann"))
    writer.close()
    assert (len(runs), len(set(runs)), await users(ops)) == (3, 1, ["ann"])
    assert all(isinstance(fields["error"], StoreBusy) for name, fields in events if name == "command.retried")

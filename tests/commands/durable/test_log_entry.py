"""On PostgreSQL the log entry of a durable command goes out in one message with the COMMIT."""

from __future__ import annotations

import asyncio
import json

import asyncpg
import pytest

from opwright import OperationScope, Opwright
from tests.commands.durable.kit import AddUser, entries, insert, tombstones, users
from tests.commands.kit import Note

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


async def test_a_log_entry_costs_no_round_trip_of_its_own(ops: Opwright) -> None:
    """It goes out with the COMMIT, as the reset of the session goes out with the BEGIN."""
    sent: list[str] = []

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        connection = await scope.connection()
        connection.add_query_logger(lambda record: sent.append(record.query))
        await insert(connection, command.name)

    await ops.call(AddUser("ann"))
    await asyncio.sleep(0)  # the driver tells of it a little later
    assert len(sent) == 2
    assert sent[0].startswith("insert into users")
    assert sent[1].startswith("execute opwright_")
    assert sent[1].endswith("COMMIT;")


async def test_a_handler_may_throw_away_what_the_connection_has_prepared(ops: Opwright) -> None:
    """The command is run again, on a connection that prepares it anew."""
    runs: list[str] = []

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        connection = await scope.connection()
        runs.append(command.name)
        if command.name == "bad" and len(runs) == 2:
            await connection.execute("deallocate all")
        await insert(connection, command.name)

    await ops.call(AddUser("good"))
    await ops.call(AddUser("bad"))
    assert runs == ["good", "bad", "bad"]
    assert await users(ops) == ["bad", "good"]
    assert len(await entries(ops)) == 2


async def test_what_cannot_be_sent_because_the_handler_still_writes_is_in_no_doubt(ops: Opwright) -> None:
    """The driver says so before it sends anything: nothing is asked about, and nothing is run again."""
    left: list[asyncio.Task[str]] = []

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        connection = await scope.connection()
        await insert(connection, command.name)
        if command.name == "bad":
            left.append(asyncio.create_task(connection.execute("select pg_sleep(5)")))
            await asyncio.sleep(0)

    await ops.call(AddUser("good"))
    with pytest.raises(asyncpg.InterfaceError, match="another operation is in progress"):
        await ops.call(AddUser("bad"))
    await asyncio.gather(*left, return_exceptions=True)
    assert (len(left), await users(ops), await tombstones(ops)) == (1, ["good"], 0)


@pytest.mark.parametrize("pooled", ["false", "true"])
async def test_a_connection_that_is_closed_before_the_commit_leaves_no_doubt_either(
    database_url: str, ops: Opwright, pooled: str
) -> None:
    """Nothing was sent, so nothing is asked about, which would leave a tombstone."""
    other = Opwright(f"{database_url}?pooled={pooled}")

    @other.command(retries=0)
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        connection = await scope.connection()
        await insert(connection, command.name)
        if command.name == "bad":
            connection.terminate()

    async with other:
        await other.call(AddUser("good"))
        with pytest.raises(asyncpg.InterfaceError, match="connection is closed"):
            await other.call(AddUser("bad"))
    assert (await users(ops), await tombstones(ops)) == (["good"], 0)


async def test_behind_a_pooler_nothing_is_prepared(database_url: str, ops: Opwright) -> None:
    """Another connection to the server may get the next statement."""
    pooled, sent = Opwright(f"{database_url}?pooled=true"), list[str]()

    @pooled.command
    async def add_user(command: AddUser, scope: OperationScope) -> int:
        connection = await scope.connection()
        connection.add_query_logger(lambda record: sent.append(record.query))
        return int(await connection.fetchval("select count(*) from pg_prepared_statements"))

    odd = AddUser("it's \\' %s %(id)s $1 :id")
    async with pooled:
        assert [await pooled.call(odd) for _ in range(2)] == [0, 0]
        await asyncio.sleep(0)
    assert "insert into opwright.operation_log" in sent[1]
    assert [json.loads(entry.inputs) for entry in await entries(ops)] == [{"name": odd.name}] * 2


async def test_a_log_entry_is_what_it_was_whatever_the_handler_has_set(ops: Opwright) -> None:
    """Where a backslash in quotes is an escape for the session, a name must not end a text."""

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        scope.items.keyless_set(Note("\\'; rollback; --"))
        connection = await scope.connection()
        await connection.execute("set standard_conforming_strings = off; set escape_string_warning = off")
        await connection.execute("set backslash_quote = on; set client_encoding = 'BIG5'")
        await insert(connection, "bob")

    odd = AddUser("it's \\' \n \"quoted\" %s %(id)s $1 :id ü 🎈")
    await ops.call(odd)
    (entry,) = await entries(ops)
    assert json.loads(entry.inputs) == {"name": odd.name}
    assert entry.items.keyless_get(Note) == Note("\\'; rollback; --")
    assert await users(ops) == ["bob"]


async def test_a_command_whose_log_entry_is_refused_leaves_nothing_and_its_connection_is_used_again(ops: Opwright) -> None:
    used: list[int] = []

    @ops.command(retries=0)
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        connection = await scope.connection()
        used.append(connection.get_server_pid())
        await insert(connection, command.name)
        if command.name == "bad":
            await connection.execute("insert into opwright.operation_log (id, logged_at) values ($1, 0)", scope.id)

    with pytest.raises(asyncpg.UniqueViolationError):
        await ops.call(AddUser("bad"))
    assert (await users(ops), await entries(ops)) == ([], [])
    await ops.call(AddUser("good"))
    assert await users(ops) == ["good"]
    assert used[0] == used[1]

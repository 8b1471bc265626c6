"""Durable commands through a real PgBouncer in transaction mode: each transaction may be on another connection to the server."""

import asyncio
import json

import asyncpg
import pytest

from opwright import OperationScope, Opwright
from tests.commands.durable.kit import AddUser, entries, insert, users
from tests.contract.kit import query
from tests.system.bouncer import POOL

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("contract_url")]

MANY = 10 * POOL
ODD = "a \\ at the end \\"


async def test_what_commands_write_and_their_entries_are_one_transaction(database_url: str) -> None:
    """More of them at once than there are connections, and every fourth fails after its write."""
    ops = Opwright(database_url)

    @ops.command
    async def add_user(command: AddUser, scope: OperationScope) -> str:
        connection = await scope.connection()
        await insert(connection, command.name)
        if int(command.name.split()[0]) % 4 == 0:
            raise ZeroDivisionError
        scope.items.keyless_set(command)
        return command.name

    async with ops:
        await query(await ops.client.store(), "create table users (name text not null)")
        wanted = [f"{number} {ODD}" for number in range(MANY)]
        runs = await asyncio.gather(*(ops.run(AddUser(name)) for name in wanted))
        kept = [run.result for run in runs if run.error is None]
        assert kept == [name for number, name in enumerate(wanted) if number % 4]
        assert await users(ops) == sorted(kept)
        logged = await entries(ops)
        assert sorted(json.loads(entry.inputs)["name"] for entry in logged) == sorted(kept)
        assert sorted(entry.items.keyless_get(AddUser).name for entry in logged) == sorted(kept)


async def test_an_entry_that_is_refused_leaves_nothing_to_whoever_gets_the_connection_next(database_url: str) -> None:
    """The transaction is ended before the pooler gives its connection away."""
    ops, used = Opwright(database_url), set[object]()

    @ops.command(retries=0)
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        connection = await scope.connection()
        used.add(connection)
        await insert(connection, command.name)
        if command.name == "bad":
            await connection.execute(f"insert into opwright.operation_log (id, logged_at) values ({scope.id}, 0)")

    async with ops:
        await query(await ops.client.store(), "create table users (name text not null)")
        with pytest.raises(asyncpg.UniqueViolationError):
            await ops.call(AddUser("bad"))
        for number in range(2 * POOL):
            await ops.call(AddUser(str(number)))
        assert await users(ops) == [str(number) for number in range(2 * POOL)]
    assert len(used) == 1

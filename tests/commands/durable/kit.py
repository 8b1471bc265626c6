"""What the tests of durable scopes say often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import asyncpg

from opwright import LogEntry, OperationScope, Opwright
from tests.contract.kit import query


@dataclass(frozen=True)
class AddUser:
    name: str


@dataclass(frozen=True)
class AddMany:
    names: list[str]


@dataclass(frozen=True)
class Other:
    number: int = 0


async def insert(connection: Any, name: str) -> None:
    """Write a row on a driver's connection, whichever it is."""
    statement = f"insert into users values ('{name}')"
    if isinstance(connection, asyncpg.Connection):
        await connection.execute(statement)
    else:
        connection.execute(statement)


async def users(ops: Opwright) -> list[str]:
    """What was committed."""
    return [name for (name,) in await query(await ops.client.store(), "select name from users order by name")]


async def entries(ops: Opwright) -> list[LogEntry]:
    """The log, in order."""
    log = (await ops.client.store()).log
    end = await log.end()
    begin = end._replace(seen="0" if end.identity == "" else "3:3:", newest=0)
    return (await log.between(begin, end)).entries


async def tombstones(ops: Opwright) -> int:
    """How many attempts were given up and not made again."""
    ((count,),) = await query(await ops.client.store(), "select count(*) from opwright.operation_log where origin is null")
    return int(count)


def adding(ops: Opwright, *, retries: int = 3) -> None:
    """A command that writes one row."""

    @ops.command(retries=retries)
    async def add_user(command: AddUser, scope: OperationScope) -> str:
        await insert(await scope.connection(), command.name)
        return command.name

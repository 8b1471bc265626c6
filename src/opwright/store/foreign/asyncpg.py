"""Connections of asyncpg, single ones and those that a pool hands out."""

from __future__ import annotations

from typing import Any, ClassVar

from opwright.store.engine import Plan, Rows
from opwright.store.foreign.bracket import Bracket, of_postgresql
from opwright.store.foreign.connection import Async
from opwright.store.statements import Statement


class Asyncpg(Async):
    """A ``Connection``, or the proxy of one."""

    types: ClassVar[tuple[str, ...]] = ("asyncpg.connection.Connection", "asyncpg.pool.PoolConnectionProxy")

    def _dialect(self) -> str:
        return "postgresql"

    def _bracket(self) -> Bracket:
        return of_postgresql(joins=self._on.is_in_transaction())

    async def _run(self, statement: Statement, values: dict[str, Any]) -> Rows:
        (part,) = statement.parts
        return await self._on.fetch(part.sql, *part.arguments(values))  # type: ignore[no-any-return]


class OwnAsyncpg(Asyncpg):
    """One of ours, which the code of an application uses for a while."""

    types: ClassVar[tuple[str, ...]] = ("opwright.store.postgresql_own.OwnConnection",)

    async def conclude(self, plan: Plan[None]) -> None:
        *first, last = ((self._engine.statements[one.name], self._engine.values(one.values)) for one in plan)
        for step in first:
            await self._run(*step)
        statement, values = last
        await self._on.with_commit(statement.parts[0], values)

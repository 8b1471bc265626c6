"""Connections of asyncpg, single ones and those that a pool hands out."""

from __future__ import annotations

from typing import Any

from opwright.store.engine import Rows
from opwright.store.foreign.bracket import Bracket, of_postgresql
from opwright.store.foreign.connection import Async
from opwright.store.statements import Statement


class Asyncpg(Async):
    """A ``Connection``, or the proxy of one."""

    types = ("asyncpg.connection.Connection", "asyncpg.pool.PoolConnectionProxy")

    def _dialect(self) -> str:
        return "postgresql"

    def _bracket(self) -> Bracket:
        return of_postgresql(joins=self._on.is_in_transaction())

    async def _run(self, statement: Statement, values: dict[str, Any]) -> Rows:
        (part,) = statement.parts
        return await self._on.fetch(part.sql, *part.arguments(values))  # type: ignore[no-any-return]

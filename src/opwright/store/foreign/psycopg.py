"""Connections of psycopg 3, synchronous and asynchronous; a pool of psycopg_pool hands out the same classes.

The cursor is of our own making: whatever cursors and rows the caller has chosen for itself, ours stay as we need them.
"""

from __future__ import annotations

from typing import Any, TypeVar

from opwright.store.engine import Plan, Rows
from opwright.store.foreign.bracket import Bracket, of_postgresql
from opwright.store.foreign.connection import Async, Connection, Sync
from opwright.store.statements import Statement

T = TypeVar("T")


class _Either(Connection):
    """What the two have in common."""

    def _dialect(self) -> str:
        return "postgresql"

    def _bracket(self) -> Bracket:
        from psycopg.pq import TransactionStatus

        idle = self._on.pgconn.transaction_status == TransactionStatus.IDLE
        return of_postgresql(joins=not (self._on.autocommit and idle))

    def _is_pipelined(self) -> bool:
        """Whether the caller's answers come later; then we wait for ours, and before that for its own."""
        from psycopg.pq import PipelineStatus

        return bool(self._on.pgconn.pipeline_status != PipelineStatus.OFF)


class Psycopg(Sync, _Either):
    """A ``psycopg.Connection``."""

    types = ("psycopg.Connection",)

    def play(self, plan: Plan[T]) -> T:
        self._settle()
        return super().play(plan)

    def _run(self, statement: Statement, values: dict[str, Any]) -> Rows:
        from psycopg import RawCursor
        from psycopg.rows import dict_row

        (part,) = statement.parts
        with RawCursor(self._on, row_factory=dict_row) as cursor:
            cursor.execute(part.sql.encode(), part.arguments(values))
            self._settle()
            return cursor.fetchall() if cursor.description else []

    def _settle(self) -> None:
        if self._is_pipelined():
            with self._on.pipeline() as pipeline:
                pipeline.sync()


class AsyncPsycopg(Async, _Either):
    """A ``psycopg.AsyncConnection``."""

    types = ("psycopg.AsyncConnection",)

    async def play_async(self, plan: Plan[T]) -> T:
        await self._settle()
        return await super().play_async(plan)

    async def _run(self, statement: Statement, values: dict[str, Any]) -> Rows:
        from psycopg import AsyncRawCursor
        from psycopg.rows import dict_row

        (part,) = statement.parts
        async with AsyncRawCursor(self._on, row_factory=dict_row) as cursor:
            await cursor.execute(part.sql.encode(), part.arguments(values))
            await self._settle()
            return await cursor.fetchall() if cursor.description else []

    async def _settle(self) -> None:
        if self._is_pipelined():
            async with self._on.pipeline() as pipeline:
                await pipeline.sync()

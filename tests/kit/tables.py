"""A look into the tables, past everything that is Opwright's."""

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing
from typing import Any

import asyncpg

NAMES = (
    "operations", "ready", "delayed", "claimed", "outcomes", "operationstatus", "operation_keys", "cancel_requests", "hosts",
)  # fmt: skip
DEATH = 2  # the kind of a line in operationstatus
ALIVE, DEAD, STOPPED = 1, 2, 3


class Tables:
    """The tables of one database. ``opwright.`` stands for the schema, or on SQLite for the prefix."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of any statement."""
        return await asyncio.to_thread(self._read, sql) if self.is_sqlite else await self._fetch(sql)

    async def value(self, sql: str) -> Any:
        """The one value of a statement."""
        ((value,),) = await self.rows(sql)
        return value

    async def column(self, sql: str) -> list[Any]:
        """The first column of a statement."""
        return [row[0] for row in await self.rows(sql)]

    async def count(self, table: str) -> int:
        """How many rows a table of Opwright's has."""
        number: int = await self.value(f"select count(*) from opwright.{table}")
        return number

    async def counts(self) -> dict[str, int]:
        """How many rows stand where, tables without any left out."""
        return {name: count for name in NAMES if (count := await self.count(name))}

    async def notes(self, operation: int) -> list[tuple[int, str]]:
        """Kind and text of every line in the log of an operation."""
        rows = await self.rows(f"select kind, text from opwright.operationstatus where operation = {operation} order by id")
        return [(kind, text) for kind, text in rows]

    async def attempts(self) -> dict[tuple[int, int], int]:
        """How many outcomes have which (status, attempt)."""
        return dict(Counter(await self.rows("select status, attempt from opwright.outcomes")))

    async def hosts(self) -> dict[int, int]:
        """The state of every host."""
        return dict(await self.rows("select id, state from opwright.hosts order by id"))

    def _read(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None, timeout=10)) as file:
            return file.execute(sql.replace("opwright.", "opwright_")).fetchall()

    async def _fetch(self, sql: str) -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(self.url)
        try:
            return [tuple(row) for row in await connection.fetch(sql)]
        finally:
            await connection.close()

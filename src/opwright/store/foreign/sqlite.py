"""Connections of the standard library's sqlite3."""

from __future__ import annotations

import sqlite3
from typing import Any

from opwright.store.engine import Rows
from opwright.store.foreign.bracket import Bracket, of_sqlite
from opwright.store.foreign.connection import Sync
from opwright.store.statements import Statement


class Sqlite(Sync):
    """A ``sqlite3.Connection``."""

    types = ("sqlite3.Connection",)

    def _dialect(self) -> str:
        return "sqlite"

    def _bracket(self) -> Bracket:
        return of_sqlite(self._on)

    def _run(self, statement: Statement, values: dict[str, Any]) -> Rows:
        rows: Rows = []
        for part in statement.parts:
            cursor = self._on.cursor()
            cursor.row_factory = sqlite3.Row  # the caller's own factory is not ours to rely on
            cursor.execute(part.named, values)
            if cursor.description is not None:
                rows = cursor.fetchall()
        return rows

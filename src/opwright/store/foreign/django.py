"""Connections of Django: ``django.db.connection`` and ``connections["alias"]``.

Everything goes through Django's own cursor, which refuses a broken ``atomic`` block, keeps its log and asks its wrappers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from opwright.store.engine import Plan, Rows
from opwright.store.foreign.bracket import Bracket, of_postgresql, of_sqlite
from opwright.store.foreign.connection import Sync
from opwright.store.statements import Statement

T = TypeVar("T")


class Django(Sync):
    """A ``DatabaseWrapper``, or the proxy of one."""

    types = ("django.db.backends.base.base.BaseDatabaseWrapper", "django.utils.connection.ConnectionProxy")

    def _dialect(self) -> str:
        return str(getattr(self._on, "vendor", "no database"))  # a cache of Django has such a proxy, too

    def _bracket(self) -> Bracket:
        if self._engine.dialect.name == "sqlite":
            return of_sqlite(self._on.connection)
        return of_postgresql(joins=not self._on.get_autocommit())

    def play(self, plan: Plan[T]) -> T:
        from django.core.exceptions import SynchronousOnlyOperation

        try:
            self._on.ensure_connection()
        except SynchronousOnlyOperation as error:
            error.add_note("on=: submit where the transaction is, in a synchronous function that sync_to_async calls")
            raise
        return super().play(plan)

    def _run(self, statement: Statement, values: dict[str, Any]) -> Rows:
        rows: Rows = []
        with self._on.cursor() as cursor:
            for part in statement.parts:
                cursor.execute(part.pyformat, {name: values[name] for name in part.parameters})
                if cursor.description is not None:
                    names = [column[0] for column in cursor.description]
                    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return rows

    def after_commit(self, notify: Callable[[], None]) -> bool:
        if super().after_commit(notify):
            return True
        if not self._on.in_atomic_block:
            return False  # Django would call it at once, before anything is written
        if notify not in [hook[1] for hook in self._on.run_on_commit]:
            self._on.on_commit(notify, robust=True)
        return True

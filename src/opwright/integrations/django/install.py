"""``manage.py migrate``: Opwright's tables, made and upgraded by Django on its own connection, in its own transaction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import router
from django.db.migrations.operations.base import Operation

from opwright.integrations.django.application import ops
from opwright.store.handover import Handover, handover
from opwright.store.migrations import migrations, missing
from opwright.store.statements import POSTGRESQL, SQLITE, Dialect


class Install(Operation):
    """Applies the migration of this number, unless ``opwright migrate`` or a host has already.

    It concerns the one database that OPWRIGHT names; in every other one nothing happens. Backwards nothing happens either: the
    tables hold work that was promised, and a step back in Django's history is no reason to drop it.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, version: int) -> None:
        self.version = version

    def state_forwards(self, app_label: str, state: Any) -> None:
        """No models, so no state."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Apply it, or collect its SQL for ``sqlmigrate``, which is that of an empty database."""
        alias = schema_editor.connection.alias
        if alias != ops.alias.name or not router.allow_migrate(alias, app_label):
            return
        texts = handover(_dialect(schema_editor), ops.client.schema)
        for text in self._texts(texts) if schema_editor.collect_sql else self._due(texts, schema_editor):
            schema_editor.execute(text, params=None)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Keep everything."""

    def describe(self) -> str:
        return f"Opwright's migration {self.version}"

    def _texts(self, texts: Handover) -> Iterable[str]:
        return (*(texts.install if self.version == 1 else ()), *texts.steps[self.version])

    def _due(self, texts: Handover, schema_editor: Any) -> Iterable[str]:
        """What this database lacks up to this number, found under the lock. Raises SchemaTooNew."""
        with schema_editor.connection.cursor() as cursor:
            for text in texts.lock:
                cursor.execute(text)
            cursor.execute(texts.is_installed)
            if not cursor.fetchall():
                for text in texts.install:
                    cursor.execute(text)
            cursor.execute(texts.applied)
            applied = {row[0] for row in cursor.fetchall()}
        due = missing(migrations(_dialect(schema_editor), ops.client.schema), applied, upgrade=True)
        return [text for step in due if step.version <= self.version for text in texts.steps[step.version]]


def _dialect(schema_editor: Any) -> Dialect:
    return POSTGRESQL if schema_editor.connection.vendor == "postgresql" else SQLITE

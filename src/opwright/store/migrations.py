"""Numbered migrations: which there are, and what to do with a database that has some of them.

Both engines apply them in one transaction under a lock, so N hosts may start on an empty database at once. An empty database is
installed without asking. An older one is brought up by itself on SQLite, and by ``opwright migrate`` on PostgreSQL, where other
hosts may still run the older program. A newer one is refused: an older program must never repair what it does not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

from opwright.errors import SchemaTooNew, SchemaTooOld
from opwright.store.statements import Dialect, render, split


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    version: int
    name: str
    statements: tuple[str, ...]


@cache
def migrations(dialect: Dialect, schema: str) -> tuple[Migration, ...]:
    """Every migration of a dialect, in order."""
    folder = resources.files("opwright.store") / "migrations" / dialect.name
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    return tuple(
        Migration(int(file[:4]), file[5:-4], tuple(split(render((folder / file).read_text(), dialect, schema)))) for file in files
    )


def missing(known: tuple[Migration, ...], applied: set[int], *, upgrade: bool) -> tuple[Migration, ...]:
    """What is to be applied now. Raises SchemaTooNew, and SchemaTooOld where an upgrade was not asked for."""
    newest = known[-1].version
    if applied and max(applied) > newest:
        raise SchemaTooNew(
            f"the database has schema version {max(applied)}, this program knows {newest}: "
            "run the newer Opwright that migrated it, this one has changed nothing",
        )
    steps = tuple(step for step in known if step.version not in applied)
    if applied and steps and not upgrade:
        raise SchemaTooOld(
            f"the database has schema version {max(applied)}, this program needs {newest}: run `opwright migrate`",
        )
    return steps

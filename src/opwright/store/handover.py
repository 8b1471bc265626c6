"""The migrations as texts, for a framework that applies migrations itself, on its own connection and in its own transaction.

What it leaves behind is what an engine's own ``migrate`` leaves: the same tables, recorded in the same ``migrations``.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

from opwright.store.migrations import Migration, migrations
from opwright.store.statements import Dialect

_MIGRATIONS_TABLE = "(version integer primary key, name text not null, applied {integer} not null)"


class Handover(NamedTuple):
    """What to say, in this order.

    ``lock`` keeps hosts from migrating at the same time; ``is_installed`` gives a row if there is the table of migrations;
    ``install`` makes it; ``applied`` gives the versions in it; ``steps`` are the statements of each version, its record last.
    """

    lock: tuple[str, ...]
    is_installed: str
    install: tuple[str, ...]
    applied: str
    steps: dict[int, tuple[str, ...]]


def handover(dialect: Dialect, schema: str) -> Handover:
    """Everything for one kind of database. The texts have no parameters; percent signs in them mean themselves."""
    ledger = f"{dialect.schema_text(schema)}migrations"
    steps = {step.version: (*step.statements, _record(step, ledger, dialect)) for step in migrations(dialect, schema)}
    applied = f"select version from {ledger}"
    if dialect.name == "sqlite":
        table = f"create table if not exists {ledger} {_MIGRATIONS_TABLE.format(integer='integer')} strict"
        return Handover((), f"select 1 from sqlite_master where name = '{ledger}'", (table,), applied, steps)
    lock = f"select pg_advisory_xact_lock({zlib.crc32(f'opwright gate {schema}'.encode()) + 1})"
    table = f"create table if not exists {ledger} {_MIGRATIONS_TABLE.format(integer='bigint')}"
    is_installed = f"select 1 where to_regclass('{ledger}') is not null"
    return Handover((lock,), is_installed, (f"create schema if not exists {schema}", table), applied, steps)


def _record(step: Migration, ledger: str, dialect: Dialect) -> str:
    now = dialect.now.replace(":now", "null")
    return f"insert into {ledger} values ({step.version}, '{step.name}', {now})"

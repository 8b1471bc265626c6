"""Django's ``migrate`` and Opwright's tables."""

import asyncio
import re
from pathlib import Path

import asyncpg
import pytest

from opwright import Opwright
from opwright.admin.admin import migrate
from tests.integrations.django.kit import ROOT, manage
from tests.kit.tables import Tables

OURS = ROOT / "src/opwright/store/migrations"
DJANGOS = ROOT / "src/opwright/integrations/django/migrations"
NEWEST = max(int(file.name[:4]) for file in (OURS / "sqlite").glob("*.sql"))

# Columns, constraints and indexes of a schema, without its name.
_POSTGRESQL = """
select replace(
  c.relname || ' ' || c.relkind::text || ' '
  || coalesce(string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull), ', ' order by attnum), '')
  || coalesce(pg_get_indexdef(i.indexrelid), '') || coalesce(pg_get_viewdef(case when c.relkind = 'v' then c.oid end), ''),
  'elsewhere', 'opwright') as line
from pg_class c join pg_namespace n on n.oid = c.relnamespace
left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 left join pg_index i on i.indexrelid = c.oid
where n.nspname = '{schema}' group by c.oid, c.relname, c.relkind, i.indexrelid order by 1
"""
_SQLITE = """
select replace(sql, 'elsewhere_', 'opwright_') from sqlite_master where name glob '{schema}_*' and sql is not null order by 1
"""


async def structure(url: str, schema: str) -> list[str]:
    """Everything that migrations made in a schema (on SQLite under a prefix), as texts."""
    if url.startswith("sqlite"):
        lines: list[str] = await Tables(url).column(_SQLITE.format(schema=schema))
        return [re.sub(r"\s+", " ", line.replace("if not exists ", "").replace("IF NOT EXISTS ", "")) for line in lines]
    connection = await asyncpg.connect(url)
    try:
        return [row["line"] for row in await connection.fetch(_POSTGRESQL.format(schema=schema))]
    finally:
        await connection.close()


def versions(url: str) -> list[int]:
    return asyncio.run(Tables(url).column("select version from opwright.migrations order by 1"))


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_every_migration_of_ours_has_its_counterpart_in_django(dialect: str) -> None:
    """The same numbers and names: whoever adds the one is told here to add the other."""
    ours = sorted(file.stem for file in (OURS / dialect).glob("*.sql"))
    djangos = sorted(file.stem for file in DJANGOS.glob("0*.py"))
    assert djangos == ours
    for name in djangos:
        assert f"Install({int(name[:4])})" in (DJANGOS / f"{name}.py").read_text()


def test_django_makes_the_tables_that_opwright_migrate_makes(database_url: str) -> None:
    """Column by column and index by index; a second run, one after the other kind, and steps back change nothing."""
    manage(database_url, "migrate", "-v0")
    asyncio.run(migrate(Opwright(database_url, schema="elsewhere").client))
    made = asyncio.run(structure(database_url, "opwright"))
    assert made
    assert made == asyncio.run(structure(database_url, "elsewhere"))
    assert versions(database_url) == list(range(1, NEWEST + 1))

    assert "nothing to do" in manage(database_url, "opwright", "migrate")
    assert "No migrations to apply" in manage(database_url, "migrate")
    assert "No changes detected" in manage(database_url, "makemigrations", "--check")
    manage(database_url, "opwright", "submit", "meet")
    manage(database_url, "migrate", "opwright", "zero", "-v0")
    manage(database_url, "migrate", "-v0")
    assert asyncio.run(Tables(database_url).count("operations")) == 1


def test_tables_that_are_there_are_taken_as_they_are(database_url: str) -> None:
    """After ``opwright migrate`` Django only writes its own history. A schema of a newer program is refused."""
    asyncio.run(migrate(Opwright(database_url).client))
    before = asyncio.run(structure(database_url, "opwright"))
    assert "Applying opwright.0001_engine... OK" in manage(database_url, "migrate")
    assert asyncio.run(structure(database_url, "opwright")) == before
    assert versions(database_url) == list(range(1, NEWEST + 1))

    manage(database_url, "migrate", "opwright", "zero", "-v0")
    asyncio.run(_record_newer(database_url))
    refused = manage(database_url, "migrate", "opwright", code=1)
    assert f"the database has schema version {NEWEST + 1}, this program knows {NEWEST}" in refused


def test_an_older_schema_is_brought_up(sqlite_path: Path) -> None:
    """What an older program installed gets what it lacks, and keeps what it holds."""
    url = f"sqlite:///{sqlite_path}"
    manage(url, "migrate", "opwright", "0001", "-v0")
    assert versions(url) == [1]
    manage(url, "migrate", "-v0")
    assert versions(url) == list(range(1, NEWEST + 1))


def test_sqlmigrate_shows_the_sql_and_other_databases_get_nothing(database_url: str) -> None:
    """Without a table in sight, and with the percent signs as they are."""
    shown = manage(database_url, "sqlmigrate", "opwright", "0001")
    assert "create table" in shown
    assert "insert into" in shown
    assert "%%" not in shown
    assert ("strftime('%Y" in shown) is database_url.startswith("sqlite")
    assert "create table" not in manage(database_url, "sqlmigrate", "opwright", "0001", "--database", "other")


async def _record_newer(url: str) -> None:
    record = f"insert into opwright.migrations values ({NEWEST + 1}, 'tomorrow', 0)"
    if url.startswith("sqlite"):
        await Tables(url).rows(record)
        return
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(record)
    finally:
        await connection.close()

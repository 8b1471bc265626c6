"""What is given by mistake is refused with what to give instead; nothing is imported that the application does not use."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from django.core.cache import cache
from django.db import connections, transaction
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, sessionmaker

from opwright import InvalidOperation, Opwright
from tests.foreign.ways import alias, on_psycopg, on_sqlite3, through

KINDS = ("asyncpg", "psycopg 3", "Session", "Connection", "AsyncSession", "AsyncConnection", "Django", "sqlite3")
LIBRARIES = ("asyncpg", "psycopg", "sqlalchemy", "aiosqlite", "django")


async def double(number: int) -> int:
    return 2 * number


@pytest.fixture
def said(tmp_path: Path) -> Callable[[Any], str]:
    """What is said to somebody who gives this as ``on=``."""
    trigger = Opwright(f"sqlite:///{tmp_path}/x.db").operation(double)

    def answer(on: Any) -> str:
        with pytest.raises(InvalidOperation, match=r"^on: .* is no connection Opwright knows; give ") as refusal:
            trigger.options(on=on).submit(1)
        assert refusal.value.field == "on"
        return str(refusal.value)

    return answer


@pytest.mark.parametrize("thing", [5, "sqlite:///x.db", object(), Session], ids=["number", "address", "object", "class"])
def test_what_nobody_knows_is_told_of_every_kind(thing: Any, said: Callable[[Any], str]) -> None:
    """The error names the type of what was given, and all that may be given."""
    text = said(thing)
    assert type(thing).__qualname__ in text
    assert all(kind in text for kind in KINDS)


def test_what_makes_connections_is_no_connection(said: Callable[[Any], str]) -> None:
    """An engine, a factory of sessions, all connections of Django: the error shows how to get one."""
    engine, asynchronous = create_engine("sqlite://"), create_async_engine("sqlite+aiosqlite://")
    assert "with engine.begin() as connection" in said(engine)
    assert "async with engine.begin() as connection" in said(asynchronous)
    assert "with Session.begin() as session" in said(sessionmaker(engine))
    assert "async with Session.begin() as session" in said(async_sessionmaker(asynchronous))
    assert 'connections["default"]' in said(connections)


async def test_a_pool_is_no_connection(postgres_database: str, said: Callable[[Any], str]) -> None:
    """Each statement on it may take another connection, so there is no transaction to join."""
    async with asyncpg.create_pool(postgres_database, min_size=1, max_size=1) as pool:
        assert "pool.acquire()" in said(pool)


async def test_a_transaction_is_no_connection(postgres_database: str, said: Callable[[Any], str]) -> None:
    """Of whatever library: the error asks for what it belongs to."""
    with create_engine("sqlite://").connect() as connection:
        assert "the connection of this transaction" in said(connection.begin())
    with Session(create_engine("sqlite://")) as session:
        assert "the session of this transaction" in said(session.begin())
    async with AsyncSession(create_async_engine("sqlite+aiosqlite://")) as asynchronous:
        assert "the session of this transaction" in said(asynchronous.begin())
    with on_psycopg(postgres_database) as way, way.on.transaction() as block:
        assert "transaction.connection" in said(block)
    raw = await asyncpg.connect(postgres_database)
    assert "the connection of this transaction" in said(raw.transaction())
    await raw.close()
    assert "django.db.connection" in said(transaction.atomic())


def test_a_cursor_is_no_connection(postgres_database: str, sqlite_path: Path, said: Callable[[Any], str]) -> None:
    """It has one."""
    with on_psycopg(postgres_database) as way, way.on.cursor() as cursor:
        assert "cursor.connection" in said(cursor)
    with on_sqlite3(f"sqlite:///{sqlite_path}") as file:
        assert "cursor.connection" in said(file.on.cursor())


async def test_a_connection_that_was_never_made_is_refused(postgres_database: str) -> None:
    """SQLAlchemy's ``engine.connect()`` must be awaited."""
    engine = create_async_engine(through(postgres_database, "asyncpg"))
    with pytest.raises(InvalidOperation, match="await it"):
        Opwright(postgres_database).operation(double).options(on=engine.connect()).submit(1)
    await engine.dispose()


def test_a_cache_of_django_is_no_database(sqlite_path: Path) -> None:
    """It hides behind the same kind of proxy as a connection."""
    with alias(f"sqlite:///{sqlite_path}"), pytest.raises(InvalidOperation, match=r"^on: a connection to no database"):
        Opwright(f"sqlite:///{sqlite_path}").operation(double).options(on=cache).submit(1)


def test_no_library_is_imported_that_the_application_does_not_use() -> None:
    """A connection is known by the name of its type."""
    program = (
        "import sqlite3, sys\n"
        "from opwright import Opwright\n"
        "ops = Opwright('sqlite:///never.db')\n"
        "@ops.operation\n"
        "def note() -> None: ...\n"
        "before = set(sys.modules)\n"
        "note.options(on=sqlite3.connect('other.db'))\n"
        "from opwright.store.foreign import recognise\n"
        "recognise(sqlite3.connect(':memory:'), ops.client.shape)\n"
        f"print(sorted({{name for name in set(sys.modules) if name in {LIBRARIES}}} - {{'asyncpg'}}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout == "[]\n"

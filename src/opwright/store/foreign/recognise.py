"""What kind of connection something is, by the names of its type."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from opwright.errors import InvalidOperation
from opwright.store.engine import Engine
from opwright.store.foreign.asyncpg import Asyncpg, OwnAsyncpg
from opwright.store.foreign.connection import Connection
from opwright.store.foreign.django import Django
from opwright.store.foreign.psycopg import AsyncPsycopg, Psycopg
from opwright.store.foreign.sqlalchemy import AsyncScopedSqlAlchemy, AsyncSqlAlchemy, ScopedSqlAlchemy, SqlAlchemy
from opwright.store.foreign.sqlite import Sqlite

_CLASSES: tuple[type[Connection], ...] = (
    Asyncpg, OwnAsyncpg, Psycopg, AsyncPsycopg, SqlAlchemy, ScopedSqlAlchemy, AsyncSqlAlchemy, AsyncScopedSqlAlchemy, Django,
    Sqlite,
)  # fmt: skip
_KINDS = {name: kind for kind in _CLASSES for name in kind.types}

ALL = (
    "an asyncpg or psycopg 3 connection, a SQLAlchemy Session, Connection, AsyncSession or AsyncConnection, "
    "a Django connection, or a sqlite3 connection"
)

# What is given by mistake, and what was meant.
_INSTEAD = {
    "asyncpg.pool.Pool": "a connection of the pool: `async with pool.acquire() as connection`",
    "asyncpg.transaction.Transaction": "the connection of this transaction",
    "psycopg_pool.base.BasePool": "a connection of the pool: `with pool.connection() as connection`",
    "psycopg._cursor_base.BaseCursor": "`cursor.connection`",
    "psycopg.transaction.BaseTransaction": "`transaction.connection`",
    "psycopg2.extensions.connection": "a connection of psycopg 3, or of SQLAlchemy",
    "sqlite3.Cursor": "`cursor.connection`",
    "aiosqlite.core.Connection": "an AsyncSession of SQLAlchemy on aiosqlite, or a sqlite3 connection",
    "sqlalchemy.engine.base.Engine": "a connection: `with engine.begin() as connection`",
    "sqlalchemy.ext.asyncio.engine.AsyncEngine": "a connection: `async with engine.begin() as connection`",
    "sqlalchemy.orm.session.sessionmaker": "a session: `with Session.begin() as session`",
    "sqlalchemy.ext.asyncio.session.async_sessionmaker": "a session: `async with Session.begin() as session`",
    "sqlalchemy.orm.session.SessionTransaction": "the session of this transaction",
    "sqlalchemy.ext.asyncio.session.AsyncSessionTransaction": "the session of this transaction",
    "sqlalchemy.engine.base.Transaction": "the connection of this transaction",
    "sqlalchemy.ext.asyncio.engine.AsyncTransaction": "the connection of this transaction",
    "django.db.utils.ConnectionHandler": '`connections["default"]`, or another alias',
    "django.db.transaction.Atomic": "`django.db.connection`",
}


def recognise(on: object, engine: Engine) -> Connection:
    """The caller's connection. Raises InvalidOperation for one that Opwright does not know, or of another kind of database."""
    known = _known(cast("Any", type(on)))  # mypy takes a class for something that has no hash
    if known is not None:
        return known(on, engine)
    names = _names(type(on))
    instead = next((_INSTEAD[name] for name in names if name in _INSTEAD), ALL)
    raise InvalidOperation(f"on: {names[0]} is no connection Opwright knows; give {instead}", field="on")


@cache
def _known(kind: type[Any]) -> type[Connection] | None:
    return next((_KINDS[name] for name in _names(kind) if name in _KINDS), None)


def _names(kind: type[Any]) -> list[str]:
    return [f"{one.__module__}.{one.__qualname__}" for one in kind.__mro__]

"""How each library opens a connection, and how it begins, commits and rolls back."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg
import django
import psycopg
from django.conf import settings
from django.db import connections, transaction
from django.utils.connection import ConnectionProxy
from psycopg.rows import scalar_row
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

AUTOCOMMIT = "AUTOCOMMIT"


@dataclass(frozen=True)
class Way:
    """An open connection of the application: what it gives as ``on=``, and what it does itself."""

    on: Any
    run: Callable[[str], Any]
    begin: Callable[[], Any]
    commit: Callable[[], Any]
    rollback: Callable[[], Any]


Open = Callable[[str], AbstractContextManager[Way] | AbstractAsyncContextManager[Way]]


def by_statement(on: Any, run: Callable[[str], Any]) -> Way:
    """Begins, commits and rolls back by statements of its own."""
    return Way(on, run, *(partial(run, sql) for sql in ("begin", "commit", "rollback")))


# -- sqlite3


@contextmanager
def on_sqlite3(url: str, **options: Any) -> Iterator[Way]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), **options)) as on:
        if on.isolation_level is None:
            yield by_statement(on, on.execute)
        else:
            on.row_factory = lambda _, row: len(row)
            yield Way(on, on.execute, lambda: None, on.commit, on.rollback)


# -- asyncpg and psycopg


@asynccontextmanager
async def on_asyncpg(url: str) -> AsyncIterator[Way]:
    on = await asyncpg.connect(url)
    yield by_statement(on, on.execute)
    await on.close()


@asynccontextmanager
async def on_asyncpg_pool(url: str) -> AsyncIterator[Way]:
    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool, pool.acquire() as on:
        yield by_statement(on, on.execute)


@contextmanager
def on_psycopg(url: str, *, autocommit: bool = False, pipeline: bool = False, **options: Any) -> Iterator[Way]:
    with closing(psycopg.connect(url, autocommit=autocommit, **options)) as on:
        way = by_statement(on, on.execute) if autocommit else Way(on, on.execute, lambda: None, on.commit, on.rollback)
        if not pipeline:
            yield way
            return
        with on.pipeline():
            yield way


@asynccontextmanager
async def on_async_psycopg(url: str, *, autocommit: bool = False, pipeline: bool = False, **options: Any) -> AsyncIterator[Way]:
    on = await psycopg.AsyncConnection.connect(url, autocommit=autocommit, **options)
    way = by_statement(on, on.execute) if autocommit else Way(on, on.execute, _nothing, on.commit, on.rollback)
    if pipeline:
        async with on.pipeline():
            yield way
    else:
        yield way
    await on.close()


class OwnConnection(psycopg.Connection[Any]):
    """An application may have a class of its own."""


async def _nothing() -> None:
    """The first statement begins the transaction."""


def _broken_row(cursor: Any) -> Callable[[Any], Any]:
    """Rows that nobody could read."""
    del cursor
    return lambda _: None


@contextmanager
def on_own_psycopg(url: str) -> Iterator[Way]:
    """A class, rows and cursors of the application's own."""
    factories: dict[str, Any] = {"row_factory": _broken_row, "cursor_factory": psycopg.ClientCursor}
    with closing(OwnConnection.connect(url, **factories)) as on:
        yield Way(on, on.execute, lambda: None, on.commit, on.rollback)


# -- SQLAlchemy


def through(url: str, driver: str) -> str:
    """The address with SQLAlchemy's name of a driver."""
    kind, rest = url.split("://")
    return f"{kind}+{driver}://{rest}"


@contextmanager
def on_sqlalchemy(url: str, *, driver: str, kind: str = "Session", **options: Any) -> Iterator[Way]:
    engine = create_engine(through(url, driver), **options)
    scoped = scoped_session(sessionmaker(engine))
    ways: dict[str, Callable[[], Any]] = {"Session": partial(Session, engine), "Connection": engine.connect}
    on = ways.get(kind, lambda: scoped)()
    yield Way(on, lambda sql: on.execute(text(sql)), lambda: None, on.commit, on.rollback)
    on.close()
    engine.dispose()


@asynccontextmanager
async def on_async_sqlalchemy(url: str, *, driver: str, kind: str = "Session", **options: Any) -> AsyncIterator[Way]:
    engine = create_async_engine(through(url, driver), **options)
    scoped = async_scoped_session(async_sessionmaker(engine), scopefunc=lambda: None)
    ways: dict[str, Callable[[], Any]] = {"Session": partial(AsyncSession, engine), "Connection": engine.connect}
    on = ways.get(kind, lambda: scoped)()
    if kind == "Connection":
        await on
    yield Way(on, lambda sql: on.execute(text(sql)), _nothing, on.commit, on.rollback)
    await on.close()
    await engine.dispose()


# -- Django


@contextmanager
def alias(url: str, name: str = "shop") -> Iterator[str]:
    """A database among Django's connections of this thread, for as long as the block lasts."""
    if not settings.configured:
        settings.configure(USE_TZ=True)
        django.setup()
    info = psycopg.conninfo.conninfo_to_dict(url) if url.startswith("postgresql") else {}
    engine = "postgresql" if info else "sqlite3"
    place = {"NAME": info.get("dbname", url.removeprefix("sqlite:///")), "HOST": info.get("host"), "PORT": info.get("port")}
    given = {"ENGINE": f"django.db.backends.{engine}", "USER": info.get("user"), **place}
    before = connections.databases.get(name)
    connections.databases[name] = connections.configure_settings({"default": {}} | {name: given})[name]
    connections[name] = connections.create_connection(name)
    try:
        yield name
    finally:
        if connections[name].connection is not None:
            connections[name].close()
        del connections[name], connections.databases[name]
        if before is not None:
            connections.databases[name] = before


@contextmanager
def on_django(url: str, *, proxy: bool = False) -> Iterator[Way]:
    with alias(url) as name:
        on = ConnectionProxy(connections, name) if proxy else connections[name]
        blocks: list[Any] = []

        def run(sql: str) -> None:
            with on.cursor() as cursor:
                cursor.execute(sql)

        def begin() -> None:
            blocks.append(transaction.atomic(using=name))
            blocks[-1].__enter__()

        def end(error: Exception | None) -> None:
            with suppress(IndexError):
                blocks.pop().__exit__(type(error) if error else None, error, None)

        yield Way(on, run, begin, partial(end, None), partial(end, ValueError("the application thinks better of it")))
        end(ValueError("the test is over"))


SQLITE: dict[str, Open] = {
    "sqlite3": on_sqlite3,
    "sqlite3 autocommit": partial(on_sqlite3, isolation_level=None),
    "Session pysqlite": partial(on_sqlalchemy, driver="pysqlite"),
    "scoped_session pysqlite": partial(on_sqlalchemy, driver="pysqlite", kind="scoped"),
    "Connection pysqlite": partial(on_sqlalchemy, driver="pysqlite", kind="Connection"),
    "AsyncSession aiosqlite": partial(on_async_sqlalchemy, driver="aiosqlite"),
    "AsyncConnection aiosqlite": partial(on_async_sqlalchemy, driver="aiosqlite", kind="Connection"),
    "Django sqlite": on_django,
    "Django proxy sqlite": partial(on_django, proxy=True),
}
POSTGRESQL: dict[str, Open] = {
    "asyncpg": on_asyncpg,
    "asyncpg pool": on_asyncpg_pool,
    "psycopg": on_psycopg,
    "psycopg autocommit": partial(on_psycopg, autocommit=True),
    "psycopg pipeline": partial(on_psycopg, pipeline=True),
    "psycopg own": on_own_psycopg,
    "async psycopg": partial(on_async_psycopg, row_factory=scalar_row),
    "async psycopg autocommit": partial(on_async_psycopg, autocommit=True),
    "async psycopg pipeline": partial(on_async_psycopg, pipeline=True),
    "Session psycopg": partial(on_sqlalchemy, driver="psycopg"),
    "Connection psycopg": partial(on_sqlalchemy, driver="psycopg", kind="Connection"),
    "AsyncSession asyncpg": partial(on_async_sqlalchemy, driver="asyncpg"),
    "async_scoped_session asyncpg": partial(on_async_sqlalchemy, driver="asyncpg", kind="scoped"),
    "AsyncConnection asyncpg": partial(on_async_sqlalchemy, driver="asyncpg", kind="Connection"),
    "AsyncSession psycopg": partial(on_async_sqlalchemy, driver="psycopg"),
    "Django postgresql": on_django,
}
# Connections that commit each statement of the application by itself.
AT_ONCE: dict[str, Open] = {
    "sqlite3": partial(on_sqlite3, isolation_level=None),
    "Session pysqlite": partial(on_sqlalchemy, driver="pysqlite", isolation_level=AUTOCOMMIT),
    "AsyncSession aiosqlite": partial(on_async_sqlalchemy, driver="aiosqlite", isolation_level=AUTOCOMMIT),
    "Django sqlite": on_django,
    "asyncpg": on_asyncpg,
    "psycopg": partial(on_psycopg, autocommit=True),
    "psycopg pipeline": partial(on_psycopg, autocommit=True, pipeline=True),
    "async psycopg": partial(on_async_psycopg, autocommit=True),
    "async psycopg pipeline": partial(on_async_psycopg, autocommit=True, pipeline=True),
    "Session psycopg": partial(on_sqlalchemy, driver="psycopg", isolation_level=AUTOCOMMIT),
    "AsyncConnection asyncpg": partial(on_async_sqlalchemy, driver="asyncpg", kind="Connection", isolation_level=AUTOCOMMIT),
    "Django postgresql": on_django,
}

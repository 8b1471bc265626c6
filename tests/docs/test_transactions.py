"""The guide of transactions: every snippet runs as it stands, and what it says of each library is so."""

import ast
import asyncio
import inspect
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest
import pytest_asyncio
import sqlalchemy.ext.asyncio
import sqlalchemy.orm
from sqlalchemy import insert

from opwright import Opwright
from opwright.store.foreign.recognise import _KINDS
from tests.contract.kit import query
from tests.foreign.ways import alias, through

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "transactions.md").read_text()
SNIPPETS = [text for text in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL) if "number)" in text][1:]
APPLICATION = next(text for text in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL) if "Opwright(" in text)


class Base(sqlalchemy.orm.DeclarativeBase):
    """The tables of the shop."""


class Order(Base):
    __tablename__ = "orders"
    number: sqlalchemy.orm.Mapped[int] = sqlalchemy.orm.mapped_column(primary_key=True)


@cache
def invoice() -> Any:
    """Django's model of the same table."""
    from django.db import models

    names = {"__module__": __name__, "Meta": type("Meta", (), {"app_label": "shop", "db_table": "orders"})}
    return type("Invoice", (models.Model,), {**names, "number": models.IntegerField(primary_key=True)})


def is_async(snippet: str) -> bool:
    return "await " in snippet


def application(url: str) -> tuple[Opwright, Any]:
    """The application of the page, on another database."""
    scope: dict[str, Any] = {}
    exec(re.sub(r"postgresql://[^\"]*", url, APPLICATION), scope)
    return scope["ops"], scope["confirm"]


@pytest_asyncio.fixture
async def shop(request: pytest.FixtureRequest, snippet: str) -> AsyncIterator[dict[str, Any]]:
    """What a snippet takes for granted."""
    path = request.getfixturevalue("sqlite_path") if 'connection.execute("insert into orders values (?)' in snippet else None
    url = f"sqlite:///{path}" if path else request.getfixturevalue("postgres_database")
    ops, confirm = application(url)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(ops)
        await query(await ops.client.store(), "create table orders (number integer primary key)")
        scope = {
            "ops": ops,
            "confirm": confirm,
            "number": 7,
            "address": url,
            "psycopg": psycopg,
            "insert": insert,
            "Order": Order,
        }
        scope |= {"Session": sqlalchemy.orm.Session, "AsyncSession": sqlalchemy.ext.asyncio.AsyncSession}
        if path:
            scope["connection"] = stack.enter_context(closing(sqlite3.connect(path, check_same_thread=False)))
        else:
            scope["engine"] = engine = sqlalchemy.create_engine(through(url, "psycopg"))
            stack.callback(engine.dispose)
            scope["async_engine"] = asynchronous = sqlalchemy.ext.asyncio.create_async_engine(through(url, "asyncpg"))
            stack.push_async_callback(asynchronous.dispose)
            scope["pool"] = await stack.enter_async_context(asyncpg.create_pool(url, min_size=1, max_size=1))
        yield scope


def run_here(snippet: str, scope: dict[str, Any]) -> Any:
    """Run a snippet; a coroutine when it awaits."""
    return eval(compile(snippet, "guide", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), scope)


def run_in_django(snippet: str, scope: dict[str, Any]) -> None:
    with alias(scope["address"], "default"):
        run_here(snippet, scope | {"Invoice": invoice()})


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda text: text.splitlines()[0])
async def test_every_snippet_stores_the_order_and_its_operation(snippet: str, shop: dict[str, Any]) -> None:
    """One of each, committed together; a host carries the operation out."""
    ops: Opwright = shop["ops"]
    if "django" in snippet:
        await asyncio.to_thread(run_in_django, snippet, shop)
    elif is_async(snippet):
        answer = run_here(snippet, shop)
        assert inspect.isawaitable(answer)
        await answer
    else:
        await asyncio.to_thread(run_here, snippet, shop)
    store = await ops.client.store()
    assert [row[0] for row in await query(store, "select number from orders")] == [7]
    ((operation, trigger),) = await query(store, "select id, trigger from opwright.operations")
    assert trigger == "confirm"
    async with ops.host(pool="inline"):
        assert await ops.handle(operation).result(timeout=20) == "order 7 is confirmed"


def test_the_table_names_every_kind_and_how_it_is_used() -> None:
    """A row for each, awaited or not as it says, and a snippet for each row."""
    rows = re.findall(r"^\| (\w+)(?: 3)? \| (`.*?) \| `(.*?)` \| .*? \|$", GUIDE, re.MULTILINE)
    told = {(library.lower(), name): how for library, given, how in rows for name in re.findall(r"(\w+)[`\[]", given)}
    for full, kind in _KINDS.items():
        library, name = full.split(".")[0], full.rpartition(".")[2]
        name = {"PoolConnectionProxy": "Connection", "BaseDatabaseWrapper": "connections", "ConnectionProxy": "connection"}.get(
            name, name
        )
        assert told.pop((library, name), "await" if kind.is_async else ".now()") == ("await" if kind.is_async else ".now()")
    assert told == {}
    assert len(rows) == len(SNIPPETS)

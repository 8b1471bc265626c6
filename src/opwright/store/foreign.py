"""Running a plan on a connection of the application, inside its transaction.

A connection is recognised by the module of its type, so nothing is imported that the application does not use itself.
Opwright never commits and never rolls back what is the caller's; on SQLite a savepoint keeps a half-done submit out.
"""

from __future__ import annotations

import os
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from opwright.errors import InvalidOperation, StoreError
from opwright.store.engine import Call, Engine, Plan, Rows
from opwright.store.sqlite import SqliteEngine
from opwright.store.statements import Statement

T = TypeVar("T")


class Foreign(Protocol):
    """A caller's connection."""

    def play(self, plan: Plan[T]) -> T:
        """Run a plan in the calling thread."""

    async def play_async(self, plan: Plan[T]) -> T:
        """Run a plan on the caller's event loop."""

    def after_commit(self, notify: Callable[[], None]) -> bool:
        """Have ``notify`` called once the transaction has committed; False where the library has no such hook."""


def recognise(on: object, engine: Engine) -> Foreign:
    """What kind of connection this is. Raises InvalidOperation for one that Opwright does not know, or of another database."""
    for kind in (_Asyncpg, _SqlAlchemy, _Sqlite):
        if kind.recognises(on):
            return kind(on, engine)
    raise InvalidOperation(
        f"on: {type(on).__module__}.{type(on).__qualname__} is no connection Opwright knows; "
        "give an asyncpg connection, a SQLAlchemy AsyncSession or AsyncConnection, or a sqlite3 connection",
        field="on",
    )


class _Base:
    """What every kind shares: the statements and the values that each call gets."""

    def __init__(self, on: Any, engine: Engine) -> None:
        self._on = on
        self._engine = engine
        self._check(engine)

    def _check(self, engine: Engine) -> None:
        """Raise InvalidOperation when this connection belongs to another kind of database."""

    def _statement(self, call: Call) -> tuple[Statement, dict[str, Any]]:
        base = {"now": self._engine.clock.stamp(), "channel": getattr(self._engine, "channel", None)}
        return self._engine.statements[call.name], base | call.values

    def after_commit(self, notify: Callable[[], None]) -> bool:
        del notify
        return False


class _Async(_Base, ABC):
    """Connections that are awaited."""

    def play(self, plan: Plan[T]) -> T:
        raise InvalidOperation("on: this connection is asynchronous: await the submit", field="on")

    async def play_async(self, plan: Plan[T]) -> T:
        try:
            step = next(plan)
            while True:
                step = plan.send(await self._run(*self._statement(step)))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    @abstractmethod
    async def _run(self, statement: Statement, values: dict[str, Any]) -> Rows:
        """Run one statement; its rows by column name."""


class _Asyncpg(_Async):
    @staticmethod
    def recognises(on: object) -> bool:
        names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(on).__mro__}
        return bool(names & {"asyncpg.connection.Connection", "asyncpg.pool.PoolConnectionProxy"})

    def _check(self, engine: Engine) -> None:
        _same_kind("PostgreSQL", engine)

    async def _run(self, statement: Statement, values: dict[str, Any]) -> Rows:
        part = statement.parts[0]
        try:
            return await self._on.fetch(part.sql, *part.arguments(values))  # type: ignore[no-any-return]
        except Exception as error:
            raise _hinted(error) from error


class _SqlAlchemy(_Async):
    @staticmethod
    def recognises(on: object) -> bool:
        names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(on).__mro__}
        return bool(names & {f"sqlalchemy.ext.asyncio.{place}" for place in ("session.AsyncSession", "engine.AsyncConnection")})

    def _check(self, engine: Engine) -> None:
        bind = self._on.get_bind() if hasattr(self._on, "get_bind") else self._on
        _same_kind({"postgresql": "PostgreSQL", "sqlite": "SQLite"}.get(bind.dialect.name, bind.dialect.name), engine)

    async def _run(self, statement: Statement, values: dict[str, Any]) -> Rows:
        from sqlalchemy import text

        rows: Rows = []
        for part in statement.parts:
            try:
                result = await self._on.execute(text(part.named), {name: values[name] for name in part.parameters})
            except Exception as error:
                raise _hinted(error) from error
            if result.returns_rows:
                rows = result.mappings().all()
        return rows

    def after_commit(self, notify: Callable[[], None]) -> bool:
        if self._engine.dialect.name == "sqlite":
            return True  # hosts see the file change when the caller commits
        session = getattr(self._on, "sync_session", None)
        if session is None:
            return False
        from sqlalchemy import event

        due = session.info.setdefault("opwright", set())
        if not due:
            event.listen(session, "after_commit", _after_commit)  # a listener that is there already is not added again
        due.add(notify)
        return True


class _Sqlite(_Base):
    @staticmethod
    def recognises(on: object) -> bool:
        return isinstance(on, sqlite3.Connection)

    def _check(self, engine: Engine) -> None:
        _same_kind("SQLite", engine)
        cursor = self._on.cursor()
        cursor.row_factory = None  # the caller's own is not ours to rely on
        file = next(os.fsdecode(row[2]) for row in cursor.execute("pragma database_list") if row[0] == 0)
        if isinstance(engine, SqliteEngine) and (not file or Path(file).resolve() != engine.path.resolve()):
            raise InvalidOperation(
                f"on: the connection is to {file or 'memory'}, the operations are in {engine.path}", field="on"
            )

    def play(self, plan: Plan[T]) -> T:
        apart = self._begin()
        self._on.execute("savepoint opwright_submit")
        try:
            result = self._drive(plan)
        except BaseException:
            self._on.execute("rollback to opwright_submit")
            raise
        finally:
            self._on.execute("release opwright_submit")
            if apart:
                self._on.execute("commit")
        return result

    def _begin(self) -> bool:
        """Be in a transaction, as the caller's own first write would be; True when it is ours to end."""
        if self._on.in_transaction:
            return False
        autocommits = self._on.isolation_level is None and getattr(self._on, "autocommit", True) is not False
        self._on.execute(f"begin {'immediate' if autocommits else self._on.isolation_level or ''}")
        return autocommits

    async def play_async(self, plan: Plan[T]) -> T:
        return self.play(plan)

    def _drive(self, plan: Plan[T]) -> T:
        try:
            step = next(plan)
            while True:
                step = plan.send(self._fetch(*self._statement(step)))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        except sqlite3.Error as error:
            raise _hinted(error) from error

    def _fetch(self, statement: Statement, values: dict[str, Any]) -> Rows:
        rows: Rows = []
        for part in statement.parts:
            cursor = self._on.cursor()
            cursor.row_factory = sqlite3.Row  # the caller's own factory is not ours to rely on
            cursor.execute(part.named, values)
            if cursor.description is not None:
                rows = cursor.fetchall()
        return rows

    def after_commit(self, notify: Callable[[], None]) -> bool:
        del notify
        return True  # hosts see the file change when the caller commits


def _after_commit(session: Any) -> None:
    """Notify once for all that was submitted; the release of a savepoint comes here too, and commits nothing."""
    if session.in_nested_transaction():
        return
    due = session.info.get("opwright", set())
    while due:
        due.pop()()


def _same_kind(kind: str, engine: Engine) -> None:
    ours = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}[engine.dialect.name]
    if kind != ours:
        raise InvalidOperation(f"on: a connection to {kind}, but the operations of this application are in {ours}", field="on")


def _hinted(error: Exception) -> Exception:
    """A missing table says nothing to somebody who has not made it: say what to do."""
    causes = (error, getattr(error, "orig", None), error.__cause__)
    missing = any(getattr(cause, "sqlstate", None) in ("42P01", "3F000") for cause in causes) or "no such table" in str(error)
    if missing:
        return StoreError("Opwright's tables are not in this database: run `opwright migrate` or start a host once")
    return error

"""Sessions and connections of SQLAlchemy, synchronous and asynchronous, to PostgreSQL and to SQLite.

Notifications wait for the commit of a session. A connection has no such hook: its ``commit`` event comes before the COMMIT.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from opwright.errors import InvalidOperation
from opwright.store.engine import Engine, Plan, Rows
from opwright.store.foreign.bracket import TRANSACTION, Bracket, of_postgresql, of_sqlite
from opwright.store.foreign.connection import Sync, must_await
from opwright.store.statements import Statement

T = TypeVar("T")
DUE = "opwright"  # where a session keeps whom to notify


class SqlAlchemy(Sync):
    """A ``Session``, or a ``Connection``."""

    types: ClassVar[tuple[str, ...]] = ("sqlalchemy.orm.session.Session", "sqlalchemy.engine.base.Connection")

    def __init__(self, on: Any, engine: Engine) -> None:
        self._session = on if hasattr(on, "get_bind") else None
        super().__init__(on, engine)

    def _bind(self) -> Any:
        return self._on if self._session is None else self._session.get_bind()

    def _connection(self) -> Any:
        return self._on if self._session is None else self._session.connection()

    def _dialect(self) -> str:
        return str(self._bind().dialect.name)

    def _bracket(self) -> Bracket:
        driver = self._connection().connection
        if self._engine.dialect.name == "sqlite":
            return of_sqlite(driver.driver_connection)
        return of_postgresql(joins=not driver.dbapi_connection.autocommit)

    def play(self, plan: Plan[T]) -> T:
        answer = super().play(plan)
        if self._session is not None and self._bracket() is TRANSACTION:
            _notify(self._session)  # it commits each statement by itself, so we have committed
        return answer

    def _run(self, statement: Statement, values: dict[str, Any]) -> Rows:
        from sqlalchemy import text

        rows: Rows = []
        for part in statement.parts:
            result = self._connection().execute(text(part.named), {name: values[name] for name in part.parameters})
            if result.returns_rows:
                rows = result.mappings().all()
        return rows

    def after_commit(self, notify: Callable[[], None]) -> bool:
        return super().after_commit(notify) or self._notify_later(notify)

    def _notify_later(self, notify: Callable[[], None]) -> bool:
        from sqlalchemy import Connection, event

        session = self._session
        if session is None or isinstance(session.get_bind(), Connection):
            return False  # a session on a connection commits only what that connection lets it
        if DUE not in session.info:
            event.listen(session, "after_commit", _after_commit)
            event.listen(session, "after_transaction_end", _after_end)
        session.info.setdefault(DUE, set()).add(notify)
        return True


class ScopedSqlAlchemy(SqlAlchemy):
    """A ``scoped_session``: the session that it stands for here."""

    types = ("sqlalchemy.orm.scoping.scoped_session",)

    def __init__(self, on: Any, engine: Engine) -> None:
        super().__init__(on(), engine)


class AsyncSqlAlchemy(SqlAlchemy):
    """An ``AsyncSession``, or an ``AsyncConnection``: both wrap the synchronous ones, and run them for us."""

    types: ClassVar[tuple[str, ...]] = (
        "sqlalchemy.ext.asyncio.session.AsyncSession",
        "sqlalchemy.ext.asyncio.engine.AsyncConnection",
    )
    is_async = True

    def __init__(self, on: Any, engine: Engine) -> None:
        self._outer = on
        inner = on.sync_session if hasattr(on, "sync_session") else on.sync_connection
        if inner is None:
            raise InvalidOperation("on: this AsyncConnection is not connected: await it, or use `async with`", field="on")
        super().__init__(inner, engine)

    def play(self, plan: Plan[T]) -> T:
        raise must_await()

    async def play_async(self, plan: Plan[T]) -> T:
        play = super().play
        return await self._outer.run_sync(lambda _: play(plan))  # type: ignore[no-any-return]


class AsyncScopedSqlAlchemy(AsyncSqlAlchemy):
    """An ``async_scoped_session``."""

    types = ("sqlalchemy.ext.asyncio.scoping.async_scoped_session",)

    def __init__(self, on: Any, engine: Engine) -> None:
        super().__init__(on(), engine)


def _after_commit(session: Any) -> None:
    """The release of a savepoint comes here too, and commits nothing."""
    if not session.in_nested_transaction():
        _notify(session)


def _after_end(session: Any, transaction: Any) -> None:
    """Rolled back, closed, or committed and told: the next transaction starts with nothing due."""
    if transaction.parent is None:
        session.info[DUE].clear()


def _notify(session: Any) -> None:
    """Once for all that was submitted."""
    due = session.info.get(DUE, set())
    while due:
        due.pop()()

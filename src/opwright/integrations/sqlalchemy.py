"""SQLAlchemy models whose changes submit operations in the transaction that changes them, and sessions of operation scopes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapper, Session, object_session

from opwright.commands.db_scope import DbOperationScope
from opwright.commands.scope import OperationScope
from opwright.errors import ConfigurationError, InvalidOperation, StoreUncertain
from opwright.operations.trigger import Trigger
from opwright.store.own import is_doubtful

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

M = TypeVar("M")
Change = Literal["insert", "update", "delete"]
CHANGES = ("insert", "update", "delete")
FLUSHED = "opwright_changes"  # where a session keeps what a flush has changed, until the end of the flush


def on_change(
    model: type[M], *changes: Change, submit: Trigger[..., Any], inputs: Callable[[M], Mapping[str, Any] | None]
) -> None:
    """Have each ``insert``, ``update`` or ``delete`` of an instance submit an operation of the trigger ``submit``.

    It is written by the flush that writes the change, on the same connection: what rolls back the one rolls back the other, a
    savepoint too. ``inputs`` is asked at the end of the flush, so a generated primary key is known; None submits nothing. An
    update that changes no column counts for nothing. Subclasses of the model are included. Bulk statements
    (``session.execute(update(…))``) touch no instance and are not seen. What cannot be submitted fails the flush.
    Raises ConfigurationError for a change that there is not.
    """
    if unknown := [change for change in changes if change not in CHANGES]:
        raise ConfigurationError(f"on_change: {unknown[0]!r} is none of {', '.join(CHANGES)}")
    if not changes:
        raise ConfigurationError(f"on_change: say which changes of {model.__name__} count: {', '.join(CHANGES)}")

    def listen(change: Change) -> None:
        def changed(_: Mapper[Any], connection: Connection, instance: M) -> None:
            session = object_session(instance)
            if session is not None and (change != "update" or session.is_modified(instance, include_collections=False)):
                session.info.setdefault(FLUSHED, {}).setdefault((connection, submit, inputs), []).append(instance)

        event.listen(model, f"after_{change}", changed, propagate=True)

    for change in changes:
        listen(change)


@event.listens_for(Session, "before_flush")
def _forget(session: Session, *_: object) -> None:
    """A flush that failed has left what it had gathered."""
    session.info.pop(FLUSHED, None)


@event.listens_for(Session, "after_flush")
def _submit(session: Session, *_: object) -> None:
    """One statement for all instances of a kind, however many were flushed."""
    for (connection, trigger, inputs), instances in session.info.pop(FLUSHED, {}).items():
        given = [found for found in map(inputs, instances) if found is not None]
        # A session is told of its commit, and notifies afterwards. One with several databases is not asked which one it means.
        on = session if session.bind is connection.engine else connection
        if given:
            trigger.options(on=on).submit_many(given).now()


async def session_of(scope: OperationScope, sessions: Callable[[], AsyncSession]) -> AsyncSession:
    """The session in whose transaction the effects of a durable scope belong; all commands in the scope are given the same one.

    ``sessions``: an ``async_sessionmaker``, always the same, on an engine of the database in which the operations are, and not in
    autocommit mode. The scope flushes, commits and closes the session. Raises InvalidOperation where the scope is transient, is
    decided, or has a transaction on another connection.
    """
    if not isinstance(scope, DbOperationScope):
        raise InvalidOperation(
            "the operation scope is transient: it has no session; register the command as durable", field="scope"
        )
    session: AsyncSession = await scope.begin(sessions, lambda: SessionTransaction(sessions()))
    return session


class SessionTransaction:
    """The transaction of a session as that of a durable scope."""

    def __init__(self, session: AsyncSession) -> None:
        self.connection = session

    async def begin(self) -> None:
        try:
            await self.connection.connection()
        except BaseException:
            await self.connection.invalidate()
            raise

    def is_open(self) -> bool:
        return self.connection.in_transaction()

    async def commit(self) -> None:
        session = self.connection
        try:
            await session.flush()
            await _committed(session)
        except BaseException:
            await session.invalidate()
            raise
        await session.close()

    async def roll_back(self, *, keep: bool) -> None:
        await (self.connection.close() if keep else self.connection.invalidate())


async def _committed(session: AsyncSession) -> None:
    try:
        await session.commit()
    except DBAPIError as error:
        driven = error.orig if isinstance(error.orig, Exception) else error
        cause = driven.__cause__  # asyncpg's own error, which its adapter has wrapped once more
        if is_doubtful(cause if isinstance(cause, Exception) else driven):
            raise StoreUncertain(f"the answer to a COMMIT was lost ({error})") from error
        raise

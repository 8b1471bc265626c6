"""What every kind of connection shares: the steps that a plan becomes, and who drives them."""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, TypeVar

from opwright.errors import InvalidOperation, StoreError
from opwright.store.engine import Engine, Plan, Rows
from opwright.store.foreign.bracket import Bracket
from opwright.store.sqlite import SqliteEngine
from opwright.store.statements import Part, Statement

T = TypeVar("T")
Step = tuple[Statement, dict[str, Any]]
Steps = Generator[Step, Rows, T]

NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


class Foreign(Protocol):
    """A caller's connection."""

    is_async: bool

    def play(self, plan: Plan[T]) -> T:
        """Run a plan in the calling thread; all of it or nothing. Raises InvalidOperation for a connection that is awaited."""

    async def play_async(self, plan: Plan[T]) -> T:
        """Run a plan, all of it or nothing: on the caller's event loop, or in its thread when the connection is synchronous."""

    def after_commit(self, notify: Callable[[], None]) -> bool:
        """Have ``notify`` called once the transaction has committed; False where the library has no such hook."""


class Connection(ABC):
    """One kind of connection."""

    types: ClassVar[tuple[str, ...]]  # full names, of the class or of one of its bases
    is_async = False

    def __init__(self, on: Any, engine: Engine) -> None:
        self._on = on
        self._engine = engine
        self._is_ours = False
        theirs = self._dialect()
        if theirs != engine.dialect.name:
            kinds = f"{NAMES.get(theirs, theirs)}, but the operations of this application are in {NAMES[engine.dialect.name]}"
            raise InvalidOperation(f"on: a connection to {kinds}", field="on")

    def ours(self) -> Self:
        """The same for a transaction that is undone as a whole if a plan fails: nothing is said around the plan."""
        self._is_ours = True
        return self

    @abstractmethod
    def _dialect(self) -> str:
        """What it leads to, as our dialects are named."""

    @abstractmethod
    def _bracket(self) -> Bracket:
        """What makes a plan one whole, in the transaction that there is now."""

    @abstractmethod
    def play(self, plan: Plan[T]) -> T:
        """Run a plan in the calling thread."""

    @abstractmethod
    async def play_async(self, plan: Plan[T]) -> T:
        """Run a plan, awaited."""

    async def conclude(self, plan: Plan[None]) -> None:
        """Run a plan that needs no answers, the last statement no later than with the COMMIT, which must follow at once."""
        await self.play_async(plan)

    def after_commit(self, notify: Callable[[], None]) -> bool:
        """On SQLite there is nothing to send: hosts see the file change when the caller commits."""
        del notify
        return self._engine.dialect.name == "sqlite"

    def _steps(self, plan: Plan[T]) -> Steps[T]:
        """The plan as statements, between those that make it one whole. The error of a statement is thrown in here."""
        if self._is_ours:
            return (yield from self._named(plan))
        if isinstance(self._engine, SqliteEngine):
            _check_file((yield _said("pragma database_list")), self._engine)
        bracket = self._bracket()
        for sql in bracket.begin:
            yield _said(sql)
        try:
            answer = yield from self._named(plan)
            for sql in bracket.end:
                yield _said(sql)
        except BaseException:
            for sql in bracket.undo:
                with suppress(Exception):  # what went wrong first is what the caller must hear
                    yield _said(sql)
            raise
        return answer

    def _named(self, plan: Plan[T]) -> Steps[T]:
        try:
            call = next(plan)
            while True:
                call = plan.send((yield self._engine.statements[call.name], self._engine.values(call.values)))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


class Sync(Connection):
    """Connections of synchronous libraries: they are used in the thread that submits."""

    def play(self, plan: Plan[T]) -> T:
        steps = self._steps(plan)
        proceed: Callable[[], Step] = partial(next, steps)
        try:
            while True:
                step = proceed()
                try:
                    proceed = partial(steps.send, self._run(*step))
                except BaseException as error:  # noqa: BLE001 - the steps undo what they did and raise it again
                    proceed = partial(steps.throw, _hinted(error))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    async def play_async(self, plan: Plan[T]) -> T:
        return self.play(plan)

    @abstractmethod
    def _run(self, statement: Statement, values: dict[str, Any]) -> Rows:
        """Run one statement; its rows by column name."""


class Async(Connection):
    """Connections that are awaited."""

    is_async = True

    def play(self, plan: Plan[T]) -> T:
        raise must_await()

    async def play_async(self, plan: Plan[T]) -> T:
        steps = self._steps(plan)
        proceed: Callable[[], Step] = partial(next, steps)
        try:
            while True:
                step = proceed()
                try:
                    proceed = partial(steps.send, await self._run(*step))
                except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - as above
                    proceed = partial(steps.throw, _hinted(error))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    @abstractmethod
    async def _run(self, statement: Statement, values: dict[str, Any]) -> Rows:
        """Run one statement; its rows by column name."""


def must_await() -> InvalidOperation:
    """Blocking the thread would block the loop that has to answer."""
    return InvalidOperation("on: this connection is asynchronous: await the submit", field="on")


@cache
def _statement(sql: str) -> Statement:
    return Statement(sql, (Part(sql, sql, ()),), reads_only=False)


def _said(sql: str) -> Step:
    return _statement(sql), {}


def _check_file(databases: Rows, engine: SqliteEngine) -> None:
    """Raise InvalidOperation when the caller's file is not the one where hosts look."""
    file = next(os.fsdecode(row["file"] or "") for row in databases if row["seq"] == 0)
    if not file or Path(file).resolve() != engine.path.resolve():
        raise InvalidOperation(f"on: the connection is to {file or 'memory'}, the operations are in {engine.path}", field="on")


def _hinted(error: BaseException) -> BaseException:
    """A missing table says nothing to somebody who has not made it: say what to do."""
    causes = (error, getattr(error, "orig", None), error.__cause__)
    if any(getattr(cause, "sqlstate", None) in ("42P01", "3F000") for cause in causes) or "no such table" in str(error):
        hint = StoreError("Opwright's tables are not in this database: run `opwright migrate` or start a host once")
        hint.__cause__ = error
        return hint
    return error

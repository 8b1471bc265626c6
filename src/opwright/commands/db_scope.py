"""Durable scopes: what a command writes, its log entry and what it submits are one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from opwright.commands.context import CommandContext
from opwright.commands.db_transaction import DbTransaction, EngineTransaction
from opwright.commands.events import Events
from opwright.commands.scope import OperationScope
from opwright.commands.to_the_end import to_the_end
from opwright.errors import InvalidOperation, ScopeExpired, StoreUnavailable
from opwright.model.log_entry import LogEntry
from opwright.operations.client import Client
from opwright.operations.transaction import end_plan
from opwright.store import log
from opwright.store.engine import Engine, Plan
from opwright.store.foreign import recognise
from opwright.store.sqlite import SqliteEngine
from opwright.store.store import Store
from opwright.store.surely import surely
from opwright.telemetry import emit, logger
from opwright.workers.current import Current

if TYPE_CHECKING:
    from opwright.commands.db_scope_provider import DbOperationScopeProvider

T = TypeVar("T")


class DbOperationScope(OperationScope):
    """A scope in the database. Its transaction begins when something is first written in it; otherwise only the entry is written.

    ``in_doubt``: the answer to a COMMIT was lost, and the database has not said since what became of it.
    ``lost``: the connection of what was rolled back was broken.
    """

    is_transient: ClassVar[bool] = False

    def __init__(self, provider: DbOperationScopeProvider, context: CommandContext, client: Client) -> None:
        super().__init__(provider, context)
        self.in_doubt = False
        self.lost = False
        self.expiry: ScopeExpired | None = None
        self._client = client
        self._events = Events(client, context.commander, self._check)
        self._transaction: DbTransaction | None = None
        self._source: object = None
        self._store: Store | None = None
        self._turn = asyncio.Lock()  # nested commands may run at the same time, and a connection does one thing at a time
        self._limit: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None
        self.notices: set[Callable[[], None]] = set()

    # ------------------------------------------------------------------------------------------- its transaction

    @property
    def events(self) -> Events:
        return self._events

    async def connection(self) -> Any:
        """The connection in whose transaction the effects belong: asyncpg's on PostgreSQL, sqlite3's on SQLite.

        The first call begins the transaction. On SQLite nobody else can write from then on. Raises InvalidOperation where the
        scope is decided or has a session, ScopeExpired, StoreError.
        """
        engine = (await self._opened()).engine
        return await self.begin(None, lambda: EngineTransaction(engine))

    async def begin(self, source: object, make: Callable[[], DbTransaction]) -> Any:
        """The connection of the transaction that ``make`` gives; the one that has begun, if that is from the same ``source``."""
        async with self._turn:
            return (await self._begun(source, make)).connection

    async def play(self, plan: Plan[T]) -> T:
        """Run a plan in the transaction, which begins with it if it has not begun; all of the plan, or nothing."""
        engine = (await self._opened()).engine
        async with self._turn:
            transaction = self._transaction or await self._begun(None, lambda: EngineTransaction(engine))
            return await recognise(transaction.connection, engine).play_async(plan)

    async def _begun(self, source: object, make: Callable[[], DbTransaction]) -> DbTransaction:
        self._check()
        if self._transaction is None:
            transaction = make()
            await transaction.begin()
            self._transaction, self._source = transaction, source
            self._set_limit((await self._opened()).engine)
        elif self._source is not source:
            raise InvalidOperation(
                "the operation scope has a transaction on another connection: it is one transaction", field="scope"
            )
        return self._transaction

    async def _opened(self) -> Store:
        """Where its transaction is."""
        if self._store is None:
            self._store = await self._client.store()
        return self._store

    def _check(self) -> None:
        if self.expiry is not None:
            raise self.expiry
        if self.is_committed is not None:
            raise InvalidOperation("the operation scope is closed: nothing can be written in it", field="scope")

    # ------------------------------------------------------------------------- on SQLite it may not last for long

    def _set_limit(self, engine: Engine) -> None:
        if isinstance(engine, SqliteEngine):
            self._limit = asyncio.get_running_loop().call_later(engine.busy, self._expire, engine.busy)

    def _expire(self, seconds: float) -> None:
        """Let others write, who would fail otherwise. What the handler does next fails, and so does the command."""
        waiting = ", ".join(self._context.operation.apart)
        advice = (
            f"call {waiting}, which is isolated and cannot write meanwhile, before the first write or in scope.after_commit"
            if waiting
            else "do what takes long before the first write, or in an operation that the scope submits"
        )
        self.expiry = ScopeExpired(
            f"{self._command}: the operation scope was open for more than {seconds:g} s, during which nobody else could write "
            f"to the SQLite file, and was rolled back: {advice}, or use PostgreSQL"
        )
        self._ending = asyncio.get_running_loop().create_task(self._undo())

    def _stop_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()

    # ------------------------------------------------------------------------------------------------- its end

    async def commit(self) -> None:
        """Commit the effects with the log entry. Nothing cuts it short, so that a cancelled command is committed or is not.

        Raises InvalidOperation, ScopeExpired, StoreUncertain when the database does not say for half a minute whether it is
        committed, and whatever the database refuses it for.
        """
        await self._context.operation.ending.run(self._commit())

    async def _commit(self) -> None:
        self._check()
        store, entry = await self._opened(), self.make_entry()

        async def land() -> bool:
            async with self._turn:
                await self._write(store, entry)
            return True

        if not await surely(land, lambda: self._settled(store)):
            raise StoreUnavailable(f"{self._command}: the connection broke at the COMMIT; nothing was committed")
        self.entry, self.is_committed = entry, True
        if (submitted := self._submitted()) is not None:
            submitted.over = True
        if self._events:
            self._events.committed()
            self.notices |= {self._client.wake, store.engine.notify}
        for notify in self.notices:
            notify()

    def _keeps_anything(self) -> bool:
        return bool(self._events) or self._submitted() is not None

    def _kept(self) -> Plan[None]:
        """What was kept for the end."""
        yield from self._events.plan()
        submitted = self._submitted()
        if submitted is not None:
            outermost = self._context
            assert outermost.handler is not None  # noqa: S101 - nobody else asks for a scope
            yield from end_plan(self._client, submitted, outermost.handler.as_trigger().encode(outermost.result))

    def _submitted(self) -> Current | None:
        """The operation that ends with the command, unless something has ended it already."""
        submitted = self._context.operation.submitted
        return None if submitted is None or submitted.over else submitted

    def _logged(self, entry: LogEntry) -> Plan[None]:
        return (log.append_anew if self._context.operation.given_up else log.append)(entry)

    async def _write(self, store: Store, entry: LogEntry) -> None:
        self._check()
        transaction = self._transaction
        if transaction is None:
            await store.engine.play(_both(self._kept(), self._logged(entry)))
            return
        if not transaction.is_open():
            raise InvalidOperation(
                f"{self._command} has ended the transaction of its scope, which ends it by itself", field="scope"
            )
        ours = recognise(transaction.connection, store.engine).ours()
        if self._keeps_anything():
            await ours.play_async(self._kept())
        await ours.conclude(self._logged(entry))
        self._stop_limit()
        self._transaction = None
        await transaction.commit()

    async def _settled(self, store: Store) -> bool:
        """What became of a COMMIT whose answer was lost."""
        self.in_doubt = True
        landed = await store.log.committed(self.id)
        self.in_doubt = False
        self._context.operation.given_up |= not landed
        emit("commit.settled", operation=self.id, command=self._command, landed=landed)
        return landed

    async def roll_back(self) -> None:
        if self.is_committed is None:
            self.is_committed = False
            await to_the_end(self._undo())

    async def _undo(self) -> None:
        async with self._turn:
            self._stop_limit()
            transaction, self._transaction = self._transaction, None
            if transaction is None:
                return
            is_closed = getattr(transaction.connection, "is_closed", None)
            self.lost = is_closed is not None and is_closed()
            try:
                await transaction.roll_back(keep=not self.was_cancelled)
            except Exception as error:  # noqa: BLE001 - what went wrong first is what the caller must hear
                logger.debug("%s: the connection did not survive the roll-back: %s", self._command, error)


def _both(first: Plan[None], then: Plan[None]) -> Plan[None]:
    yield from first
    yield from then


class Joining:
    """The scope as what a submit joins."""

    is_async = True

    def __init__(self, scope: DbOperationScope) -> None:
        self._scope = scope

    def play(self, plan: Plan[T]) -> T:
        """Block the loop that would have to answer."""
        plan.close()
        raise InvalidOperation("`.now()` would block the event loop in which the scope of this command is: await the submit")

    async def play_async(self, plan: Plan[T]) -> T:
        return await self._scope.play(plan)

    def after_commit(self, notify: Callable[[], None]) -> bool:
        self._scope.notices.add(notify)
        return True

"""The transaction in which a trigger's own writes and the end of its operation commit together, or not at all."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from opwright.errors import InvalidOperation
from opwright.operations.keeping import Kept, kept_submits
from opwright.store import own, submits
from opwright.store.engine import Plan
from opwright.store.foreign import recognise
from opwright.workers.current import Current

if TYPE_CHECKING:
    from opwright.operations.client import Client
    from opwright.operations.trigger import Trigger

_joined: ContextVar[Transaction | None] = ContextVar("opwright transaction", default=None)


class Transaction:
    """A block, ``async with`` or ``with``, at whose end the operation has SUCCEEDED together with what was written in it.

    ``connection`` is the driver's own: of asyncpg on PostgreSQL (of psycopg in a plain ``with``), of sqlite3 on SQLite, where
    nobody else can write while the block lasts. With ``on`` it is the caller's connection or session, and the caller commits.
    What the trigger submits in the block is written in the same transaction.
    """

    connection: Any

    def __init__(self, current: Current, on: object | None = None) -> None:
        self._current = current
        self._trigger = cast("Trigger[Any, Any]", current.function)  # what is registered is a Trigger
        self.client = self._trigger.client
        self._on = on
        self._result: str | None = None
        self.open = False
        self._own: AbstractAsyncContextManager[Any] | AbstractContextManager[Any] | None = None
        self._token: Token[Transaction | None]

    def returns(self, result: Any) -> None:
        """Set the operation's result, which is stored at the end of the block. Raises InvalidOperation when it cannot be."""
        self._result = self._trigger.encode(result)

    async def __aenter__(self) -> Self:
        self._check()
        if self._on is None:
            engine = (await self.client.store()).engine
            self._own = own.transaction(engine)
            return self._begun(await self._own.__aenter__())
        return self._begun(self._on)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()
        try:
            if error is None:
                await recognise(self.connection, self.client.shape).play_async(self._end())
        except BaseException as refused:
            await self._leave(type(refused), refused, refused.__traceback__)
            raise
        await self._leave(kind, error, trace)
        self._over(error)

    def __enter__(self) -> Self:
        self._check()
        if self._on is None:
            self._own = own.transaction_now(self.client.shape)
            return self._begun(self._own.__enter__())
        return self._begun(self._on)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()
        own_block = self._own if isinstance(self._own, AbstractContextManager) else None
        try:
            if error is None:
                recognise(self.connection, self.client.shape).play(self._end())
        except BaseException as refused:
            if own_block is not None:
                own_block.__exit__(type(refused), refused, refused.__traceback__)
            raise
        if own_block is not None:
            own_block.__exit__(kind, error, trace)
        self._over(error)

    async def _leave(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(self._own, AbstractAsyncContextManager):
            await self._own.__aexit__(kind, error, trace)

    def _begun(self, connection: Any) -> Self:
        self.connection = connection
        self._token = _joined.set(self)
        self.open = True
        return self

    def _close(self) -> None:
        """Nothing joins it any more, also not what was started in the block and outlives it."""
        self.open = False
        _joined.reset(self._token)

    def _check(self) -> None:
        if self._current.over:
            raise InvalidOperation("transaction: this operation has ended with an earlier one; a trigger writes its end once")
        if joined_connection(self.client) is not None:
            raise InvalidOperation("transaction: there is one around this already; write in that one")

    def _end(self) -> Plan[None]:
        return end_plan(self.client, self._current, self._result)

    def _over(self, error: BaseException | None) -> None:
        if error is None:
            self._current.over = True
            self.client.wake()


def end_plan(client: Client, current: Current, result: str | None) -> Plan[None]:
    """The running operation's success, and the submits that were kept for it. Raises StaleClaim when it is played."""
    return _ending(current, result, kept_submits(client))  # now: a plan may be played in a thread that knows of no operation


def _ending(current: Current, result: str | None, kept: Kept | None) -> Plan[None]:
    try:
        if kept is not None:
            kept.closed = True  # a task may go on submitting while this is written
            if kept:
                yield from submits.submit(kept)
        yield from submits.end_within(current.id, current.token, current.begun, result)
    except BaseException:
        if kept is not None:
            kept.closed = False
        raise


def joined_connection(client: Client) -> object | None:
    """The connection of the innermost ``operation.transaction()`` of this application around this code."""
    transaction = _joined.get()
    joins = transaction is not None and transaction.open and transaction.client is client
    return transaction.connection if transaction is not None and joins else None

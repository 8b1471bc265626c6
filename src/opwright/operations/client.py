"""The application's way to its operations: one store for each event loop that asks, opened at the first question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar

from opwright.clock import Clock
from opwright.errors import DuplicateRow, InvalidOperation
from opwright.model.limit import Limit
from opwright.model.operation import NewOperation
from opwright.model.run import ids_of
from opwright.operations.call import Call
from opwright.operations.draft import draft, drafts, redraw
from opwright.operations.handle import Batch, Handle
from opwright.operations.keeping import Kept, kept_submits
from opwright.operations.portal import in_portal, portal
from opwright.operations.request import Request
from opwright.operations.transaction import joined_connection
from opwright.operations.trigger import Trigger
from opwright.operations.waiting import Waiting
from opwright.store import submits
from opwright.store.engine import Engine, Plan
from opwright.store.foreign import Foreign, recognise
from opwright.store.here import Here, Offer
from opwright.store.store import Store, engine_for

R = TypeVar("R")
T = TypeVar("T")
Opened = tuple[Store, Waiting]
Offering = Callable[[Engine, NewOperation], Offer | None]


class Asking(Protocol):
    """What makes a submit that is to be awaited."""

    def __call__(self, what: str, run: Callable[[], Coroutine[Any, Any, T]], /) -> Call[T]: ...


class Client:
    """Submits, and hands out what answers questions."""

    def __init__(self, url: str, clock: Clock, schema: str) -> None:
        self.event_retries = 5  # how often an event is tried again, unless it says otherwise
        self.limits: dict[str, Limit] = {}  # of queues, by name
        self.surroundings: Callable[[], object | None] = _nothing  # the connection that a framework gives all code of a request
        self.scope: Callable[[], Foreign | None] = _nothing  # the durable scope of the command around this code
        self.find: Callable[[str | None], Trigger[Any, Any] | None] = _nothing  # a trigger of the application, by its name
        self.asking: Asking = Call  # how submits are asked for; tests may have them carried out before they return
        self._wakers: list[Callable[[], None]] = []
        self._offering: list[Offering] = []
        self._settle_at(url, clock, schema)

    def _settle_at(self, url: str, clock: Clock, schema: str) -> None:
        self.shape = engine_for(url, clock, schema)  # never opened: it says what the statements look like
        self.url = url
        self.clock = clock
        self.schema = self.shape.schema  # the address may name another
        self._stores: dict[asyncio.AbstractEventLoop, asyncio.Task[Opened]] = {}
        self._users: dict[asyncio.AbstractEventLoop, int] = {}

    def move(self, url: str, clock: Clock, schema: str) -> Callable[[], None]:
        """Work on another database until the returned function is called; what is open of this one stays open.

        Every trigger holds this very client, so all of them move. Raises ConfigurationError.
        """
        before = {name: vars(self)[name] for name in ("url", "clock", "schema", "shape", "_stores", "_users")}
        self._settle_at(url, clock, schema)
        return lambda: vars(self).update(before)

    async def store(self) -> Store:
        """The store of the running event loop."""
        return (await self._opened())[0]

    async def retain(self) -> Store:
        """The store of the running event loop, kept open until as many ``release`` as ``retain`` have been called.

        What somebody had opened before by merely asking stays open.
        """
        loop = asyncio.get_running_loop()
        self._users[loop] = self._users.get(loop, int(loop in self._stores)) + 1
        try:
            return await self.store()
        except BaseException:
            self._users[loop] -= 1
            raise

    async def release(self) -> None:
        """One user less; the last one closes."""
        loop = asyncio.get_running_loop()
        self._users[loop] = self._users.get(loop, 1) - 1
        if self._users[loop] <= 0:
            await self.close()

    async def waiting(self) -> Waiting:
        """What waits for ends, in the running event loop."""
        return (await self._opened())[1]

    async def close(self) -> None:
        """Close the store of the running event loop."""
        loop = asyncio.get_running_loop()
        self._users.pop(loop, None)
        task = self._stores.pop(loop, None)
        if task is not None:
            store, waiting = await task
            await waiting.stop()
            await store.close()

    def close_everywhere(self) -> None:
        """Close the stores of all event loops, from a thread in which none runs."""
        self._forget_closed_loops()
        for loop in tuple(self._stores):
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(self.close(), loop).result()
            else:
                loop.run_until_complete(self.close())

    def on_wake(self, waker: Callable[[], None]) -> Callable[[], None]:
        """Call ``waker`` (from any thread) when this process has submitted or cancelled; returns what ends it."""
        self._wakers.append(waker)
        return lambda: self._wakers.remove(waker)

    def on_submit(self, offering: Offering) -> Callable[[], None]:
        """Ask ``offering`` for a free slot for what this process submits alone; returns what ends it."""
        self._offering.append(offering)
        return lambda: self._offering.remove(offering)

    def offer(self, engine: Engine, operation: NewOperation) -> Offer | None:
        """A free slot for this operation, of a host of this process that has nothing else to begin."""
        offers = (offering(engine, operation) for offering in self._offering)
        return next((offer for offer in offers if offer is not None), None)

    def _here(self) -> Here | None:
        """The hosts of this process, if there are any."""
        return self if self._wakers else None

    def wake(self) -> None:
        """Tell the hosts of this process that there is something to look at."""
        for waker in tuple(self._wakers):
            waker()

    def settled(self, operations: Collection[int]) -> None:
        """Operations that a host of this loop has just ended: whoever waits for one need not wait for the next poll."""
        task = self._stores.get(asyncio.get_running_loop())
        if task is not None and task.done():
            task.result()[1].ended(operations)

    def submit(self, trigger: Trigger[Any, R], inputs: str, request: Request) -> Call[Handle[R]]:
        """One operation of a trigger."""
        operation = draft(trigger, inputs, request, self.limits)
        kept = kept_submits(self) if operation.key is None else None
        on = self._connection(request, or_kept=kept is not None)
        if on is not None:
            return self._join(on, request, _plan(operation, request), lambda holder: Handle(self, holder, trigger))
        if kept is not None:
            return self._keep(kept, [operation], Handle(self, operation.id, trigger))
        return self.asking(f"{trigger.name}.submit()", lambda: self._submit(trigger, operation, request))

    def submit_many(
        self, trigger: Trigger[Any, R], inputs: list[str], request: Request, then: tuple[Trigger[Any, Any], str] | None = None
    ) -> Call[Batch[R]]:
        """Many operations of a trigger, all or none; ``then`` one of another trigger, with its inputs, that follows them."""
        if request.key is not None:
            raise InvalidOperation("key: a key names one operation; submit with keys one by one", field="key")
        operations = drafts(trigger, inputs, request, self.limits) if inputs else []
        if then is not None:
            operations = [*operations, self._follower(operations, *then)]
        if not operations:
            nothing: Batch[R] = Batch([])
            return Call("submit_many()", lambda: _soon(lambda: nothing), lambda: nothing)
        kept = kept_submits(self)
        on = self._connection(request, or_kept=kept is not None)
        if on is not None:
            plan = submits.submit(operations)
            return self._join(on, request, plan, lambda _: self._batch(trigger, operations, then))
        if kept is not None:
            return self._keep(kept, operations, self._batch(trigger, operations, then))
        return self.asking(f"{trigger.name}.submit_many()", lambda: self._submit_many(trigger, operations, then))

    def _follower(self, operations: Sequence[NewOperation], then: Trigger[Any, Any], inputs: str) -> NewOperation:
        request = replace(then.request, after=tuple(operation.id for operation in operations) or None)
        return draft(then, inputs, request, self.limits)

    def _batch(
        self, trigger: Trigger[Any, R], operations: Sequence[NewOperation], then: tuple[Trigger[Any, Any], str] | None
    ) -> Batch[R]:
        handles = [Handle(self, identifier, trigger) for identifier in ids_of(operations)]
        return Batch(handles) if then is None else Batch(handles[:-1], Handle(self, operations[-1].id, then[0]))

    def _connection(self, request: Request, *, or_kept: bool) -> Foreign | None:
        """What a submit joins: the connection given, or of a transaction around it; else, unless it is kept, the framework's."""
        on = request.on if request.on is not None else joined_connection(self)
        if on is None and (scope := self.scope()) is not None:
            return scope
        if on is None and not or_kept:
            on = self.surroundings()
        return None if on is None else recognise(on, self.shape)

    async def _submit(self, trigger: Trigger[Any, R], operation: NewOperation, request: Request) -> Handle[R]:
        if operation.key is None:
            await self._write([operation])
            return Handle(self, operation.id, trigger)
        identifier = await (await self.store()).operations.submit_keyed(operation, request.on_conflict)
        self.wake()
        return Handle(self, identifier, trigger)

    async def _submit_many(
        self, trigger: Trigger[Any, R], operations: Sequence[NewOperation], then: tuple[Trigger[Any, Any], str] | None
    ) -> Batch[R]:
        await self._write(operations)
        return self._batch(trigger, operations, then)

    def _keep(self, kept: Kept, operations: Sequence[NewOperation], answer: T) -> Call[T]:
        """Keep drafts for the transaction that ends the running operation, unless that is being written when they come."""

        async def keep() -> T:
            if kept.closed:
                await (await self.store()).operations.submit(operations, self._here())
            else:
                kept.extend(operations)
            return answer

        return Call("submit()", keep)

    async def _write(self, operations: Sequence[NewOperation]) -> None:
        """Write operations without a key. Another process may have drawn the same ids: then once more with others."""
        gateway = (await self.store()).operations
        try:
            await gateway.submit(operations, self._here())
        except DuplicateRow:
            redraw(operations)
            await gateway.submit(operations, self._here())

    def _join(self, foreign: Foreign, request: Request, plan: Plan[Any], answer: Callable[[Any], Any]) -> Call[Any]:
        """Run a plan on the caller's connection, in the caller's transaction."""
        play = partial(self._told, foreign, plan, request)
        return Call("submit(on=…)", lambda: _play(foreign, play(), answer), lambda: answer(foreign.play(play())))

    def _told(self, foreign: Foreign, plan: Plan[Any], request: Request) -> Plan[Any]:
        """The plan whose notification goes after the caller's commit, or in one of its statements; decided when it is played."""
        if request.notify and not (self._can_tell() and foreign.after_commit(self._tell)):
            return submits.told(plan)
        return plan

    def _can_tell(self) -> bool:
        """Whether we can notify by ourselves after the caller's commit; on SQLite there is nothing to send."""
        return self.shape.dialect.name == "sqlite" or self._speaker() is not None

    def _speaker(self) -> tuple[asyncio.AbstractEventLoop, Store] | None:
        """A store that is open and can notify: that of the running event loop, else of one that runs in another thread."""
        here = _running_loop()
        open_now = [
            (loop, task.result()[0]) for loop, task in tuple(self._stores.items()) if loop.is_running() and _is_open(task)
        ]
        return min(open_now, key=lambda pair: pair[0] is not here, default=None)

    def _tell(self) -> None:
        """After the caller's commit, in its thread: wake our own hosts, and other processes through our own connection."""
        self.wake()
        speaker = self._speaker()
        if speaker is None:  # closed meanwhile: hosts elsewhere find it at their heartbeat
            return
        loop, store = speaker
        if loop is _running_loop():
            store.engine.notify()
        else:
            with suppress(RuntimeError):  # that loop has closed this very moment
                loop.call_soon_threadsafe(store.engine.notify)

    async def _opened(self) -> Opened:
        loop = asyncio.get_running_loop()
        task = self._stores.get(loop)
        if task is not None and _is_open(task):
            return task.result()
        if task is None or task.done():
            self._forget_closed_loops()
            task = self._stores[loop] = loop.create_task(self._open(), name="opwright open")
        return await asyncio.shield(task)

    async def _open(self) -> Opened:
        store = Store(engine_for(self.url, self.clock, self.schema))
        await store.open()
        if in_portal():
            portal().at_end(self.close)
        return store, Waiting(store)

    def _forget_closed_loops(self) -> None:
        for loop in [loop for loop in tuple(self._stores) if loop.is_closed()]:
            task = self._stores.pop(loop, None)
            self._users.pop(loop, None)
            if task is not None and _is_open(task):  # else another thread was faster, or there is nothing to let go of
                task.result()[0].engine.abandon()


def _nothing(*_: object) -> None:
    """No framework gives a connection; no trigger is known."""


async def _soon(answer: Callable[[], T]) -> T:
    return answer()


def _plan(operation: NewOperation, request: Request) -> Plan[int]:
    if operation.key is not None:
        return (yield from submits.submit_keyed(operation, request.on_conflict))
    yield from submits.submit([operation])
    return operation.id


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _is_open(task: asyncio.Task[Opened]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


async def _play(foreign: Foreign, plan: Plan[Any], answer: Callable[[Any], Any]) -> Any:
    return answer(await foreign.play_async(plan))

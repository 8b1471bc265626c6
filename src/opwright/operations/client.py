"""The application's way to its operations: one store for each event loop that asks, opened at the first question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from opwright.clock import Clock
from opwright.errors import DuplicateRow, InvalidOperation
from opwright.model.ids import new_ids
from opwright.model.operation import NewOperation
from opwright.operations.call import Call
from opwright.operations.handle import Handle
from opwright.operations.portal import in_portal, portal
from opwright.operations.request import Request
from opwright.operations.trigger import Trigger
from opwright.operations.waiting import Waiting
from opwright.store import submits
from opwright.store.engine import Plan, call
from opwright.store.foreign import Foreign, recognise
from opwright.store.store import Store, engine_for

R = TypeVar("R")
Opened = tuple[Store, Waiting]


class Client:
    """Submits, and hands out what answers questions."""

    def __init__(self, url: str, clock: Clock, schema: str) -> None:
        self.url = url
        self.clock = clock
        self._shape = engine_for(url, clock, schema)  # never opened: it says what the statements look like
        self.schema = self._shape.schema  # the address may name another
        self._stores: dict[asyncio.AbstractEventLoop, asyncio.Task[Opened]] = {}
        self._users: dict[asyncio.AbstractEventLoop, int] = {}
        self._wakers: list[Callable[[], None]] = []

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

    def on_wake(self, waker: Callable[[], None]) -> Callable[[], None]:
        """Call ``waker`` (from any thread) when this process has submitted or cancelled; returns what ends it."""
        self._wakers.append(waker)
        return lambda: self._wakers.remove(waker)

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
        (operation,) = _operations(trigger, [inputs], request)
        if request.on is not None:
            return self._join(request, _plan(operation, request), lambda holder: Handle(self, holder, trigger))
        return Call(f"{trigger.name}.submit()", lambda: self._submit(trigger, operation, request))

    def submit_many(self, trigger: Trigger[Any, R], inputs: list[str], request: Request) -> Call[list[Handle[R]]]:
        """Many operations of a trigger, all or none."""
        if request.key is not None:
            raise InvalidOperation("key: a key names one operation; submit with keys one by one", field="key")
        operations = _operations(trigger, inputs, request)
        if request.on is not None:
            handles = [Handle(self, operation.id, trigger) for operation in operations]
            return self._join(request, submits.submit(operations), lambda _: handles)
        return Call(f"{trigger.name}.submit_many()", lambda: self._submit_many(trigger, operations))

    async def _submit(self, trigger: Trigger[Any, R], operation: NewOperation, request: Request) -> Handle[R]:
        if operation.key is None:
            (identifier,) = await self._write([operation])
        else:
            identifier = await (await self.store()).operations.submit_keyed(operation, request.on_conflict)
        self.wake()
        return Handle(self, identifier, trigger)

    async def _submit_many(self, trigger: Trigger[Any, R], operations: list[NewOperation]) -> list[Handle[R]]:
        identifiers = await self._write(operations) if operations else []
        self.wake()
        return [Handle(self, identifier, trigger) for identifier in identifiers]

    async def _write(self, operations: list[NewOperation]) -> list[int]:
        """Write operations without a key; their ids. Another process may have drawn the same ids: then once more with others."""
        gateway = (await self.store()).operations
        try:
            await gateway.submit(operations)
        except DuplicateRow:
            for operation, fresh in zip(operations, new_ids(len(operations)), strict=True):
                operation.id = fresh
            await gateway.submit(operations)
        return [operation.id for operation in operations]

    def _join(self, request: Request, plan: Plan[Any], answer: Callable[[Any], Any]) -> Call[Any]:
        """Run a plan on the caller's connection, in the caller's transaction."""
        foreign = recognise(request.on, self._shape)
        if request.notify and not (self._can_tell() and foreign.after_commit(self._tell)):
            plan = _notified(plan)
        return Call("submit(on=…)", lambda: _play(foreign, plan, answer), lambda: answer(foreign.play(plan)))

    def _can_tell(self) -> bool:
        """Whether we can notify by ourselves after the caller's commit; on SQLite there is nothing to send."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self._shape.dialect.name == "sqlite"
        return self._shape.dialect.name == "sqlite" or loop in self._stores

    def _tell(self) -> None:
        """After the caller's commit: wake our own hosts, and other processes through our own connection if there is one."""
        self.wake()
        task = self._stores.get(asyncio.get_running_loop())
        if task is not None and task.done() and not task.exception():
            task.result()[0].engine.notify()

    async def _opened(self) -> Opened:
        loop = asyncio.get_running_loop()
        task = self._stores.get(loop)
        if task is None or (task.done() and task.exception() is not None):
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
        for loop in [loop for loop in self._stores if loop.is_closed()]:
            task = self._stores.pop(loop)
            self._users.pop(loop, None)
            if task.done() and not task.cancelled() and task.exception() is None:
                task.result()[0].engine.abandon()


def _operations(trigger: Trigger[Any, Any], inputs: Sequence[str], request: Request) -> list[NewOperation]:
    return [
        NewOperation(
            id=identifier, trigger=trigger.name, queue=request.queue, inputs=text, priority=request.priority,
            options=trigger.options_text, due=request.due, wait=request.wait, key=request.key,
        )
        for identifier, text in zip(new_ids(len(inputs)), inputs, strict=True)
    ]  # fmt: skip


def _plan(operation: NewOperation, request: Request) -> Plan[int]:
    if operation.key is not None:
        return (yield from submits.submit_keyed(operation, request.on_conflict))
    yield from submits.submit([operation])
    return operation.id


def _notified(plan: Plan[Any]) -> Plan[Any]:
    answer = yield from plan
    yield call("notify_within")
    return answer


async def _play(foreign: Foreign, plan: Plan[Any], answer: Callable[[Any], Any]) -> Any:
    return answer(await foreign.play_async(plan))

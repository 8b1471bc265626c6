"""A handle: an operation as its submitter holds it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from opwright.clock import moment
from opwright.errors import InvalidOperation, OperationCancelled, OperationFailed
from opwright.model.operation import Operation
from opwright.model.options import LONGEST as LONGEST_WAIT
from opwright.model.status import OutcomeCode, Status
from opwright.operations.call import Call
from opwright.operations.payload import plain_value
from opwright.operations.waiting import LONGEST, SHORTEST
from opwright.store.operations import Ending

if TYPE_CHECKING:
    from opwright.operations.client import Client
    from opwright.operations.trigger import Trigger

R = TypeVar("R")


class Update(msgspec.Struct, frozen=True):
    """One thing that happened to an operation: a new status, or a line of its log; ``fraction`` tells how far it is."""

    at: datetime
    status: Status
    text: str | None = None
    fraction: float | None = None


class Handle(Generic[R]):
    """Ask about an operation, wait for it, cancel it. Every question is answered by the database, from any process."""

    __slots__ = ("_client", "_trigger", "id")

    def __init__(self, client: Client, identifier: int, trigger: Trigger[Any, R] | None = None) -> None:
        self.id = identifier
        self._client = client
        self._trigger = trigger

    def __repr__(self) -> str:
        return f"<operation {self.id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def get(self) -> Call[Operation]:
        """Everything that is known about it. Raises OperationNotFound."""
        return Call("get()", self._get)

    def status(self) -> Call[Status]:
        """Where it stands. Raises OperationNotFound."""
        return Call("status()", self._status)

    def result(self, timeout: float | None = None) -> Call[R]:
        """What its trigger returned, as soon as it has ended. An operation that was rolled back never ends: give a timeout.

        Raises OperationFailed with the trigger's error, OperationCancelled, or TimeoutError after ``timeout`` seconds;
        OperationNotFound when it is older than three hours and there is no record of it; InvalidOperation for a timeout
        that is no number of seconds.
        """
        if timeout is not None and (type(timeout) not in (int, float) or not 0 <= timeout <= LONGEST_WAIT):
            raise InvalidOperation(f"timeout: {timeout!r} is not a number of seconds from 0 to {LONGEST_WAIT:g}", field="timeout")
        return Call("result()", lambda: self._result(timeout))

    def cancel(self) -> Call[bool]:
        """Cancel it: at once when nobody has begun it, else by asking its host. False when it had ended, or never came to be."""
        return Call("cancel()", self._cancel)

    def resume(self, value: Any = None) -> Call[bool]:
        """Give a value to its next ``operation.wait()``; if it waits now, it goes on at once.

        False when it had ended, or was never committed. Raises InvalidOperation for a value that has no form in JSON.
        """
        text = plain_value("value", value)
        return self._client.asking("resume()", lambda: self._resume(text))

    def retry(self) -> Call[Handle[R]]:
        """Submit it once more, as it was, now that it has ended; the handle of the new operation.

        Raises InvalidOperation while it has not ended, AlreadyRetried while a retry of it has not,
        KeyTaken when another operation holds its key, OperationNotFound.
        """
        return self._client.asking("retry()", self._retry)

    def children(self) -> Call[list[Handle[Any]]]:
        """What its trigger has submitted, the oldest first."""
        return Call("children()", self._children)

    def predecessors(self) -> Call[list[Handle[Any]]]:
        """What it follows: the operations given as ``after``, or those of the ``submit_many`` that it concludes."""
        return Call("predecessors()", self._predecessors)

    async def follow(self) -> AsyncIterator[Update]:
        """The changes of its status, as a look now and then sees them, and every line of its log, until it has ended."""
        store = await self._client.store()
        seen: Status | None = None
        position, pause, looks = 0, SHORTEST, 2  # one more look after the end: its last words may come behind it
        while looks:
            operation = await store.operations.get(self.id)
            for note in await store.operations.notes(self.id, position):
                position, pause = note.id, SHORTEST
                yield Update(moment(note.at), operation.status, note.text, note.fraction)
            if operation.status is not seen and not (operation.status.ended and looks == 2):
                seen, pause = operation.status, SHORTEST
                yield Update(_changed(operation), seen)
            looks -= operation.status.ended
            await asyncio.sleep(pause if looks else 0)
            pause = min(pause * 1.5, LONGEST)

    async def _get(self) -> Operation:
        return await (await self._client.store()).operations.get(self.id)

    async def _status(self) -> Status:
        return (await self._get()).status

    async def _cancel(self) -> bool:
        store = await self._client.store()
        answer = await store.operations.cancel(self.id, "cancelled by its submitter")
        self._client.wake()
        return answer != "nothing"

    async def _resume(self, value: str) -> bool:
        store = await self._client.store()
        found = await store.operations.resume(self.id, value)
        self._client.wake()
        return found

    async def _retry(self) -> Handle[R]:
        again = await (await self._client.store()).operations.retry(self.id)
        self._client.wake()
        return Handle(self._client, again, self._trigger)

    async def _children(self) -> list[Handle[Any]]:
        return self._handles(await (await self._client.store()).operations.children(self.id))

    async def _predecessors(self) -> list[Handle[Any]]:
        return self._handles(await (await self._client.store()).operations.predecessors(self.id))

    def _handles(self, found: Mapping[int, str | None]) -> list[Handle[Any]]:
        """With their triggers, which know the types of their results."""
        return [Handle(self._client, one, self._client.find(trigger)) for one, trigger in found.items()]

    async def _result(self, timeout: float | None) -> R:
        waiting = await self._client.waiting()
        try:
            async with asyncio.timeout(timeout):
                ending = await waiting.wait(self.id)
        except TimeoutError:
            raise TimeoutError(f"operation {self.id} has not ended within {timeout:g} s; it goes on") from None
        return self._outcome(ending)

    def _outcome(self, ending: Ending) -> R:
        code, result, error = ending
        if code is OutcomeCode.FAILED:
            raise OperationFailed(self.id, error)
        if code is OutcomeCode.CANCELLED:
            raise OperationCancelled(f"operation {self.id} was cancelled: {error}")
        if self._trigger is not None:
            return self._trigger.result.decode(result)  # type: ignore[no-any-return]
        return msgspec.json.decode(result) if result is not None else None  # type: ignore[return-value]


class Batch(list[Handle[R]]):
    """The handles of ``submit_many``, in the order of the inputs."""

    def __init__(self, handles: Iterable[Handle[R]], then: Handle[Any] | None = None) -> None:
        super().__init__(handles)
        self._then = then

    @property
    def then(self) -> Handle[Any]:
        """The operation that follows them all. Raises InvalidOperation when none was submitted with ``then=``."""
        if self._then is None:
            raise InvalidOperation("then: these were submitted without an operation to follow them", field="then")
        return self._then


def _changed(operation: Operation) -> datetime:
    return operation.ended or operation.started or operation.submitted

"""The gateway to what an operator does to operations: each act leaves a line in their log, in the transaction of its effect."""

from __future__ import annotations

from collections.abc import Callable

from opwright.model.claim import NoteKind
from opwright.model.operation import NewOperation
from opwright.store import submits
from opwright.store.engine import Call, Engine, Plan, T, call
from opwright.store.surely import played


class Acts:
    """Cancel, retry, resume, in the name of an operator: ``by`` says who, and from where."""

    def __init__(self, engine: Engine, by: str) -> None:
        self._engine = engine
        self._by = by

    async def cancel(self, operation: int) -> str:
        """``cancelled``, ``asked`` (its host will) or ``nothing`` (it has ended, or does not exist)."""
        return await self._play(lambda: _cancel(operation, self._by))

    async def retry(self, operation: int, changed: NewOperation | None = None) -> int:
        """Submit an ended operation once more; the new id. ``changed``: a draft whose inputs take the place of the old ones.

        Raises OperationNotFound, InvalidOperation, AlreadyRetried, KeyTaken.
        """
        return await self._play(lambda: _retry(operation, changed, self._by))

    async def resume(self, operation: int, value: str) -> bool:
        """Give a value (JSON text) to its next wait; False when it has ended or does not exist."""
        return await self._play(lambda: _resume(operation, value, self._by))

    async def _play(self, plan: Callable[[], Plan[T]]) -> T:
        """An operator is told when an answer is lost, and looks; the log of the operation says what landed."""
        answer = await played(self._engine, plan)
        self._engine.notify()
        return answer


def _cancel(operation: int, by: str) -> Plan[str]:
    answer = yield from submits.cancel(operation, f"cancelled by {by}")
    if answer != "nothing":
        yield _line(operation, f"{'cancelled' if answer == 'cancelled' else 'asked to cancel'} by {by}")
    return answer


def _retry(operation: int, changed: NewOperation | None, by: str) -> Plan[int]:
    again = yield from submits.retry(operation, changed)
    how = "" if changed is None else " with other inputs"
    yield _line(operation, f"retried{how} as operation {again} by {by}")
    yield _line(again, f"submitted{how} to retry operation {operation} by {by}")
    return again


def _resume(operation: int, value: str, by: str) -> Plan[bool]:
    found = yield from submits.resume(operation, value)
    if found:
        yield _line(operation, f"resumed by {by}")
    return found


def _line(operation: int, text: str) -> Call:
    return call("remember", operation=operation, kind=int(NoteKind.OPERATOR), text=text)

"""The plans of submitting: what to write for new operations, whatever connection writes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from opwright.errors import AlreadyRetried, DuplicateRow, InvalidOperation, KeyTaken, OperationNotFound, StaleClaim, StoreConflict
from opwright.model.claim import NoteKind
from opwright.model.ids import new_id
from opwright.model.operation import NewOperation, OnConflict
from opwright.model.run import Run
from opwright.model.submitter import hand_back_of
from opwright.store.engine import Call, Plan, call

_encode = msgspec.json.Encoder().encode
T = TypeVar("T")
MOST_TRIES = 3
MOST_LOOKS = 10


def is_plain(operations: Sequence[NewOperation]) -> bool:
    """Whether one statement writes them all: none of them is held."""
    return isinstance(operations, Run) or not any(operation.held for operation in operations)


def submit(operations: Sequence[NewOperation]) -> Plan[None]:
    """Write operations that have no key: one statement, however many, and another one if some of them are held."""
    if len(operations) == 1 and operations[0].at_once:
        yield submit_one(operations[0])
        return
    if isinstance(operations, Run) and (lines := operations.lines()) is not None:
        yield _submit_run(operations.first, lines)
        return
    yield call("submit", rows=_encode(list(operations)).decode())
    if held := [operation for operation in operations if operation.held]:
        yield call("submit_bound", rows=_encode(held).decode())


def submit_one(one: NewOperation) -> Call:
    """The statement for an operation that is ready at once."""
    return call(
        "submit_one", id=one.id, origin=one.retry_of, priority=one.priority, trigger=one.trigger, queue=one.queue,
        inputs=one.inputs, options=one.options, submitter=one.submitter, parent=one.parent,
    )  # fmt: skip


def _submit_run(one: NewOperation, lines: str) -> Call:
    """What they share travels once, their inputs as lines of one text: the driver looks twice at each member of an array."""
    return call(
        "submit_run", first=one.id, origin=one.retry_of, priority=one.priority, trigger=one.trigger,
        queue=one.queue, options=one.options, submitter=one.submitter, parent=one.parent, inputs=lines,
    )  # fmt: skip


def told(plan: Plan[T]) -> Plan[T]:
    """The plan, and a notification in its transaction: in its one statement if that can carry it, else in one more."""
    carried = False
    try:
        step = next(plan)
        while True:
            if step.name == "submit_one":
                step, carried = call(step.name, **step.values | {"tell": True}), True
            step = plan.send((yield step))
    except StopIteration as end:
        if not carried:
            yield call("notify_within")
        return end.value  # type: ignore[no-any-return]


def submit_keyed(operation: NewOperation, on_conflict: OnConflict) -> Plan[int]:
    """Write one operation with a key; the id of the operation that holds the key afterwards.

    Raises KeyTaken. The loop is for a holder that ends between two statements: the key is free then, and is tried for again.
    """
    rows = _encode([operation]).decode()
    for _ in range(MOST_TRIES):
        (landed,) = yield call("submit_keyed", rows=rows)
        if landed["landed"]:
            if operation.held:
                yield call("submit_bound", rows=rows)
            return operation.id
        holder = yield call("key_holder", trigger=operation.trigger, key=operation.key)
        if not holder:
            continue
        winner: int = holder[0]["operation"]
        if on_conflict is OnConflict.SKIP or winner == operation.id:  # ourselves: sent again after a lost answer
            return winner
        yield from _make_room(operation, winner, on_conflict)
    raise StoreConflict(f"key {operation.key!r} changed hands {MOST_TRIES} times while it was being taken: submit again")


def _make_room(operation: NewOperation, winner: int, on_conflict: OnConflict) -> Plan[None]:
    if on_conflict is OnConflict.FAIL:
        raise KeyTaken(f"key: {operation.key!r} is held by operation {winner}, which has not ended", winner=winner)
    withdrawn = yield call("withdraw", operation=winner, reason=f"replaced by operation {operation.id}")
    if withdrawn:
        yield from over([winner])
    else:
        still = yield call("key_holder", trigger=operation.trigger, key=operation.key)
        if still and still[0]["operation"] == winner:
            raise KeyTaken(
                f"key: {operation.key!r} is held by operation {winner}, which a host has taken and which cannot be replaced",
                winner=winner,
            )


def over(operations: Sequence[int]) -> Plan[None]:
    """What follows from ends, in their transaction: slots fall free, and what has a submitter is handed back to it."""
    if operations:
        yield call("followed_anew", rows=_encode(operations).decode())
    yield from free(operations)
    yield from hand_back(operations)


def free(operations: Sequence[int]) -> Plan[None]:
    """Free the slots of these operations."""
    if operations:
        yield call("free_slots", rows=_encode(operations).decode())


def hand_back(operations: Sequence[int]) -> Plan[None]:
    """Submit the hand-backs of those among these that have a submitter."""
    returned = (yield call("submitters", rows=_encode(operations).decode())) if operations else ()
    if returned:
        yield from submit([hand_back_of(row["id"], row["submitter"], row["queue"], row["priority"]) for row in returned])


def cancel(operation: int, reason: str) -> Plan[str]:
    """Cancel an operation: ``cancelled`` at once when nobody holds it, ``asked`` when its host must, else ``nothing``.

    An operation on its way from one table to another may be met in neither; it has not ended then, and is looked for again.
    """
    for _ in range(MOST_LOOKS):
        if (yield call("withdraw", operation=operation, reason=reason)):
            yield from over([operation])
            return "cancelled"
        if (yield call("request_cancel", operation=operation)):
            return "asked"
        (where,) = yield call("known", operation=operation)
        if where["ended"] or not where["known"]:
            return "nothing"
    raise StoreConflict(f"operation {operation} changed its place {MOST_LOOKS} times while it was being cancelled: cancel again")


def end_within(operation: int, token: int, begun: int | None, result: str | None) -> Plan[None]:
    """Write an operation's success in the transaction that holds its effects. Raises StaleClaim, which is to undo them."""
    if not (yield call("finish_within", operation=operation, token=token, begun=begun, result=result)):
        raise StaleClaim(
            f"operation {operation} is no longer this worker's, because its host was taken over: what it wrote is undone"
        )
    yield from over([operation])


def resume(operation: int, value: str, line: str = "resumed") -> Plan[bool]:
    """Give a value to an operation's next wait; one that waits now is due at once. False: it has ended, or does not exist.

    ``line``: what its log is to say.
    """
    if not (yield call("resume", operation=operation, value=value)):
        return False
    yield call("rouse", operation=operation)
    (where,) = yield call("known", operation=operation)
    if where["ended"]:  # while we waited for its row
        return False
    yield call("remember", operation=operation, kind=int(NoteKind.RESUMED), text=line)
    return True


def resume_again(operation: int, value: str, line: str) -> Plan[bool]:
    """The same after a lost answer, under a line that is this answer's alone. Raises DuplicateRow when the first has landed.

    The first holds the row of the waits until its end is known, so its line is looked for after ours was written.
    """
    found = yield from resume(operation, value, line)
    lines = yield call("remarked", operation=operation, kind=int(NoteKind.RESUMED), text=line)
    if len(lines) > found:
        raise DuplicateRow(f"operation {operation} was given this answer before")
    return found


def retry(operation: int, changed: NewOperation | None = None, identifier: int | None = None) -> Plan[int]:
    """Submit an ended operation once more, as it was, or with the inputs (and the lane) of a draft; the new id.

    Whoever may have to send it again gives the new one its ``identifier``. Two at once make one: the row of the old one is locked
    before it is asked for its retries.

    Raises OperationNotFound, InvalidOperation, AlreadyRetried, KeyTaken.
    """
    found = yield call("request", operation=operation)
    if not found:
        raise OperationNotFound(f"there is no operation {operation}: never committed, or its record was swept")
    (row,) = found
    if not row["ended"]:
        raise InvalidOperation(f"operation {operation} has not ended: cancel it first, or wait", field="operation")
    earlier = yield call("unended_retry", operation=operation)
    if earlier and earlier[0]["id"] != identifier:
        raise AlreadyRetried(operation, earlier[0]["id"])
    again = NewOperation(
        identifier or new_id(), row["trigger"], row["queue"], row["inputs"], row["priority"], options=row["options"],
        submitter=row["submitter"], retry_of=operation, key=row["key"],
        lane=row["lane"], capacity=row["capacity"], period=row["period"],
    )  # fmt: skip
    if changed is not None:
        for name in ("inputs", "lane", "capacity", "period", "held"):
            setattr(again, name, getattr(changed, name))
    if again.key is None:
        yield from submit([again])
    else:
        yield from submit_keyed(again, OnConflict.FAIL)
    return again.id

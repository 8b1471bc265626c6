"""The plans of submitting: what to write for new operations, whatever connection writes it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from opwright.errors import KeyTaken, StoreConflict
from opwright.model.operation import NewOperation, OnConflict
from opwright.store.engine import Plan, call

_encode = msgspec.json.Encoder().encode
MOST_TRIES = 3
MOST_LOOKS = 10


def submit(operations: Sequence[NewOperation]) -> Plan[None]:
    """Write operations that have no key: one statement, however many."""
    if len(operations) == 1 and operations[0].due is None and operations[0].wait is None:
        (one,) = operations
        yield call(
            "submit_one", id=one.id, origin=one.retry_of, priority=one.priority, trigger=one.trigger, queue=one.queue,
            inputs=one.inputs, options=one.options, submitter=one.submitter,
        )  # fmt: skip
    else:
        yield call("submit", rows=_encode(operations).decode())


def submit_keyed(operation: NewOperation, on_conflict: OnConflict) -> Plan[int]:
    """Write one operation with a key; the id of the operation that holds the key afterwards.

    Raises KeyTaken. The loop is for a holder that ends between two statements: the key is free then, and is tried for again.
    """
    rows = _encode([operation]).decode()
    for _ in range(MOST_TRIES):
        (landed,) = yield call("submit_keyed", rows=rows)
        if landed["landed"]:
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
    if not withdrawn:
        still = yield call("key_holder", trigger=operation.trigger, key=operation.key)
        if still and still[0]["operation"] == winner:
            raise KeyTaken(
                f"key: {operation.key!r} is held by operation {winner}, which a host has taken and which cannot be replaced",
                winner=winner,
            )


def cancel(operation: int, reason: str) -> Plan[str]:
    """Cancel an operation: ``cancelled`` at once when nobody holds it, ``asked`` when its host must, else ``nothing``.

    An operation on its way from one table to another may be met in neither; it has not ended then, and is looked for again.
    """
    for _ in range(MOST_LOOKS):
        if (yield call("withdraw", operation=operation, reason=reason)):
            return "cancelled"
        if (yield call("request_cancel", operation=operation)):
            return "asked"
        (where,) = yield call("known", operation=operation)
        if where["ended"] or not where["known"]:
            return "nothing"
    raise StoreConflict(f"operation {operation} changed its place {MOST_LOOKS} times while it was being cancelled: cancel again")

"""The plans that give operations their place: a slot of a limited lane, and the turn after those that they follow."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from opwright.store import submits
from opwright.store.engine import Plan, call

_encode = msgspec.json.Encoder().encode
BATCH = 1000
STEP = 500  # operations of one lane


def admit() -> Plan[tuple[list[str], bool]]:
    """Fill lanes; the queues of what became ready, one entry per operation, and whether there is more to look at.

    What there is to do stands in rows (a slot with its time, a newcomer), never in a host's memory, so nothing that happens
    meanwhile is missed: it is a row for the next look.
    """
    yield call("one_at_a_time")
    spent = [row["lane"] for row in (yield call("spent_slots", limit=BATCH))]
    new = [row["lane"] for row in (yield call("newcomers", limit=BATCH))]
    more = BATCH in (len(spent), len(new))
    return (yield from _fill(sorted({*spent, *new}))), more


def _fill(lanes: list[str]) -> Plan[list[str]]:
    """Fill these lanes, wide ones in several steps: the price of a step grows with the square of what it takes."""
    queues: list[str] = []
    while lanes:
        admitted = yield call("admit", lanes=_encode(lanes).decode(), limit=STEP)
        queues += [row["queue"] for row in admitted]
        if len(admitted) < STEP:
            break
    return queues


def follow(ended: Sequence[int], lost: int) -> Plan[list[str]]:
    """Count down what follows operations that have ended; the queues of what may go on, one entry per operation.

    A follower that is cancelled has ended itself, and is followed up in turn. ``lost``: ids below it that no operation has never
    will have one.
    """
    yield call("one_at_a_time")
    candidates, queues = list(ended), list[str]()
    while True:
        new = yield call("new_predecessors", limit=BATCH)
        candidates += [row["predecessor"] for row in new]
        if candidates:
            yield call("follow", rows=_encode(candidates).decode(), lost=lost)
        over = yield call("set_off", limit=BATCH)
        queues += [row["queue"] for row in over if not row["cancelled"]]
        candidates = [row["operation"] for row in over if row["cancelled"]]
        yield from submits.over(candidates)
        if not candidates and BATCH not in (len(new), len(over)):
            return queues

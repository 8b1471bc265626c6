"""The plans that give operations their place: a slot of a limited lane, and the turn after those that they follow."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from opwright.store import submits
from opwright.store.engine import Plan, call

_encode = msgspec.json.Encoder().encode
BATCH = 1000


def admit() -> Plan[tuple[list[str], bool]]:
    """Fill lanes; the queues of what became ready, one entry per operation, and whether there is more to look at.

    What there is to do stands in rows (a slot with its time, a newcomer), never in a host's memory, so nothing that happens
    meanwhile is missed: it is a row for the next look.
    """
    yield call("one_at_a_time")
    spent = [row["lane"] for row in (yield call("spent_slots", limit=BATCH))]
    new = [row["lane"] for row in (yield call("newcomers", limit=BATCH))]
    more = BATCH in (len(spent), len(new))
    lanes = sorted({*spent, *new})
    admitted = (yield call("admit", lanes=_encode(lanes).decode())) if lanes else ()
    return [row["queue"] for row in admitted], more


def follow(ended: Sequence[int], lost: int) -> Plan[list[str]]:
    """Count down what follows operations that have ended; the queues of what may go on, one entry per operation.

    A follower that is cancelled has ended itself, and is followed up in turn. ``lost``: ids below it that no operation has never
    will have one.
    """
    yield call("one_at_a_time")
    candidates = [*ended, *(row["predecessor"] for row in (yield call("new_predecessors", limit=BATCH)))]
    queues: list[str] = []
    while candidates:
        yield call("follow", rows=_encode(candidates).decode(), lost=lost)
        over = yield call("set_off", limit=BATCH)
        queues += [row["queue"] for row in over if not row["cancelled"]]
        candidates = [row["operation"] for row in over if row["cancelled"]]
        if candidates:
            yield from submits.over(candidates)
    return queues

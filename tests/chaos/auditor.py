"""``python -m tests.chaos.auditor URL FOLDER MARKER``: what must be true in the end. A line for each; exits with 1 on a FAIL.

It imports nothing of Opwright. What was to happen it knows from the submitters' journals, what happened from the application's
tables. ``MARKER`` is what stands in the environment of every process of the run.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from tests.chaos.journal import COMMITTED, ROLLED_BACK
from tests.chaos.world import CANCELLED, FAILED, SUCCEEDED, Trace, World, processes_of

SHOWN = 10  # violations of one kind
FAREWELL = 10.0  # seconds that processes have to end after their host
CHILDREN = 2
NO_EFFECT = {"note", "hopeless"}
MAY_END = {"hopeless": {FAILED}, "recalled": {SUCCEEDED, CANCELLED}}  # the others must have SUCCEEDED

Check = Callable[[World], Iterator[str]]
CHECKS: dict[str, Check] = {}


def check(promise: str) -> Callable[[Check], Check]:
    """Register what finds the violations of a promise."""

    def register(found: Check) -> Check:
        CHECKS[promise] = found
        return found

    return register


@check("the database and the journals agree on what was committed")
def agreement(world: World) -> Iterator[str]:
    with_rows = {entry.turn for entry in world.journal if entry.operations}
    yield from (f"{turn} was committed and is gone" for turn in world.events[COMMITTED] & with_rows - world.written)
    yield from (f"{turn} was rolled back and is there" for turn in world.events[ROLLED_BACK] & world.written)


@check("every committed operation has ended")
def ended(world: World) -> Iterator[str]:
    yield from (f"{kind} {one} has not ended" for one, kind in world.kinds.items() if one not in world.outcomes)


@check("each has ended as it had to")
def status(world: World) -> Iterator[str]:
    for one, kind in world.kinds.items():
        outcome = world.outcomes.get(one)
        if outcome is not None and outcome.status not in MAY_END.get(kind, {SUCCEEDED}):
            yield f"{kind} {one} has ended with {outcome}"


@check("nothing that was rolled back has run")
def rollbacks(world: World) -> Iterator[str]:
    for what, those in (
        ("begun", world.attempts),
        ("an effect", world.done),
        ("ended", world.outcomes),
        ("a row", world.recorded),
    ):
        yield from (f"{one} was rolled back: {what}" for one in world.undone & set(those))


@check("nothing has run that nobody committed")
def strangers(world: World) -> Iterator[str]:
    known = world.kinds.keys() | {hand_back for _, hand_back in world.returns} | world.undone
    for what, those in (
        ("begun", world.attempts),
        ("an effect", world.done),
        ("ended", world.outcomes),
        ("a row", world.recorded),
    ):
        yield from (f"{one} is nobody's: {what}" for one in set(those) - known)


@check("every operation has run")
def once_at_least(world: World) -> Iterator[str]:
    for one, kind in world.kinds.items():
        outcome = world.outcomes.get(one)
        if outcome is not None and outcome.status != CANCELLED and not world.attempts.get(one):
            yield f"{kind} {one} never began and has ended with {outcome}"


@check("every effect is there exactly once")
def once(world: World) -> Iterator[str]:
    for one, kind in world.kinds.items():
        outcome, found = world.outcomes.get(one), world.done.get(one, [])
        owed = outcome is not None and outcome.status == SUCCEEDED and kind not in NO_EFFECT
        if len(found) != owed:
            yield f"{kind} {one} has ended with {outcome} and has {len(found)} effects: {found}"


@check("nothing stale has landed")
def stale(world: World) -> Iterator[str]:
    """What came through is the newest attempt: once another has begun, the one before has lost its claim."""
    for one, kind in world.kinds.items():
        outcome, attempts = world.outcomes.get(one), world.attempts.get(one)
        if outcome is None or not attempts:
            continue
        newest = newest_of(attempts)
        if outcome.attempt < newest.attempt or (outcome.status == SUCCEEDED and outcome.result != newest.token):
            yield f"{kind} {one}: {outcome}, but the newest attempt is {newest}"
        yield from (f"{kind} {one}: {effect}, but {outcome}" for effect in world.done[one] if effect.token != outcome.result)


@check("every parent has its children, and nobody else's")
def families(world: World) -> Iterator[str]:
    counts = Counter(parent for parent, _ in world.children)
    for one, kind in world.kinds.items():
        outcome = world.outcomes.get(one)
        owed = CHILDREN if kind == "parent" and outcome is not None and outcome.status == SUCCEEDED else 0
        if counts[one] != owed:
            yield f"{kind} {one} has {counts[one]} children"
    yield from (f"{parent}, nobody's, has {count} children" for parent, count in counts.items() if parent not in world.kinds)


@check("every operation of a submitter was handed back exactly once")
def returned(world: World) -> Iterator[str]:
    counts = Counter(operation for operation, _ in world.returns)
    for one, kind in world.kinds.items():
        if counts[one] != (kind == "handed"):
            yield f"{kind} {one} was handed back {counts[one]} times"


@check("never two of a customer at a time")
def limit(world: World) -> Iterator[str]:
    """Of the attempts that came through: a zombie may still run, but it has lost its slot with its claim."""
    spans: dict[int, list[tuple[datetime, datetime, int]]] = {}
    for order in world.orders:
        if order.kind == "bill" and world.done.get(order.operation) and world.attempts.get(order.operation):
            span = (newest_of(world.attempts[order.operation]).at, world.done[order.operation][0].at, order.operation)
            spans.setdefault(order.customer, []).append(span)
    for customer, one in spans.items():
        for (_, end, first), (begin, _, second) in pairwise(sorted(one)):
            if begin < end:
                yield f"customer {customer}: {second} began at {begin}, before {first} had ended at {end}"


@check("never two alive with the same key")
def keys(world: World) -> Iterator[str]:
    orders = sorted((order for order in world.orders if order.kind == "keyed"), key=lambda order: order.at)
    newest: dict[int, int] = {}
    for order in orders:
        before = newest.get(order.customer)
        if before is not None and any(effect.at > order.at for effect in world.done.get(before, [])):
            yield f"customer {order.customer}: {order.operation} was submitted before {before} had ended"
        newest[order.customer] = order.operation


@check("no claim is left, nor anything else that waits")
def leftovers(world: World) -> Iterator[str]:
    yield from (f"{place}: {one}" for place, those in world.left.items() for one in those)


@check("no process is left")
def processes(world: World) -> Iterator[str]:
    yield from world.processes


def newest_of(attempts: list[Trace]) -> Trace:
    """Attempts are counted; those that were not charged have the same number and a later token."""
    return max(attempts, key=lambda trace: (trace.attempt, trace.token))


def verdict(world: World) -> tuple[list[str], bool]:
    """A line for each promise, with some of the violations below it; whether all of them hold."""
    lines, holds = [], True
    for promise, find in CHECKS.items():
        violations = list(find(world))
        holds = holds and not violations
        lines.append(f"FAIL  {promise}: {len(violations):,}" if violations else f"PASS  {promise}")
        lines += [f"          {violation}" for violation in violations[:SHOWN]]
    return lines, holds


def main(url: str, folder: str, marker: str) -> int:
    deadline = time.monotonic() + FAREWELL
    while processes_of(marker) and time.monotonic() < deadline:
        time.sleep(0.1)
    lines, holds = verdict(asyncio.run(World.found(url, Path(folder), marker)))
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

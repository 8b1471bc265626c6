"""A lone submit: begun by an idle host of its own process without a second statement, and seen before it is on disk."""

from __future__ import annotations

from opwright.model.operation import NewOperation
from opwright.store import submits
from opwright.store.engine import Engine
from opwright.store.here import Here, Offer


async def submit_alone(engine: Engine, operation: NewOperation, here: Here | None) -> None:
    """Write one operation that is ready at once and has no key; returns when it is on disk.

    Hosts of this process are woken unless one of them has claimed it with that, and others told a moment later, for they would
    only be in the way. Where there are none here, the commit itself tells the others, unless another one did so a moment ago.

    Raises DuplicateRow, StoreUnavailable, StoreUncertain, the last also for what was committed and may not be on disk.
    """
    ahead = engine.go_ahead()
    offer = None if here is None else here.offer(engine, operation)
    if offer is None:
        step = submits.submit_one(operation)
        await engine.run(step.name, tell=ahead and here is None, ahead=ahead, **step.values)
    else:
        await _take(engine, operation, offer, ahead=ahead)
    if offer is None or not offer.taken:
        _tell(engine, here, told=ahead)
    if ahead:
        await engine.flush()


async def _take(engine: Engine, operation: NewOperation, offer: Offer, *, ahead: bool) -> None:
    step = submits.submit_one(operation)
    with offer:
        (answer,) = await engine.run("submit_claimed", ahead=ahead, host=offer.host, token=offer.token, **step.values)
        offer.taken = bool(answer["claimed"])


def _tell(engine: Engine, here: Here | None, *, told: bool) -> None:
    if here is not None:
        here.wake()
    if here is not None or not told:
        engine.notify()  # which rests: a call that is cancelled in its flush has told the others all the same

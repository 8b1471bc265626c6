"""A trigger counts as unknown only after a whole wait without interruption."""

import pytest

from opwright.clock import TurnedClock
from opwright.model.status import Status
from opwright.store.store import Store
from tests.contract.kit import join, operation, status
from tests.scheduler.test_housekeeping import Bench

UNKNOWN, WAIT = "nobody", 60.0


async def waiting(store: Store) -> int:
    """An operation of a trigger that the host does not know."""
    new = operation(UNKNOWN)
    await store.operations.submit([new])
    return new.id


@pytest.mark.parametrize("away", [1.0, 3600.0])
async def test_nothing_left_over_ends_the_wait(store: Store, clock: TurnedClock, away: float) -> None:
    """Another host came and did it; when that host has gone, the next operation has its whole wait."""
    bench = Bench(store, clock, await join(store))
    first = await waiting(store)
    await bench.keeping.run_once()
    clock.turn(WAIT - 1)
    await bench.keeping.run_once()
    other = await join(store)
    (claim,) = await other.claim(triggers=[UNKNOWN])
    assert claim.operation == first
    await other.end(claim)
    await store.hosts.stop(other.registration)
    bench.leftover = False
    await bench.keeping.run_once()
    clock.turn(away)
    second = await waiting(store)
    bench.leftover = True
    await waits_in_full(bench, store, clock, second)


async def test_a_host_that_knew_it_in_between_ends_the_wait(store: Store, clock: TurnedClock) -> None:
    """It came and went without doing the operation, while there was always something left over."""
    bench = Bench(store, clock, await join(store))
    identifier = await waiting(store)
    await bench.keeping.run_once()
    clock.turn(WAIT - 1)
    other = await store.hosts.register(name="other", pid=1, version="1.0", lease=12.0, queues=None, triggers=[UNKNOWN])
    await bench.keeping.run_once()
    await store.hosts.stop(other)
    clock.turn(WAIT)
    await waits_in_full(bench, store, clock, identifier)


async def waits_in_full(bench: Bench, store: Store, clock: TurnedClock, identifier: int) -> None:
    """Nothing is failed at this look, nor just before the time; then it is."""
    await bench.keeping.run_once()
    assert await status(store, identifier) is Status.PENDING
    clock.turn(WAIT - 1)
    await bench.keeping.run_once()
    assert await status(store, identifier) is Status.PENDING
    clock.turn(1)
    await bench.keeping.run_once()
    assert await status(store, identifier) is Status.FAILED

"""A cancel that was accepted holds, whatever becomes of the claim before its host has heard of it."""

import pytest

from opwright.clock import TurnedClock
from opwright.model.options import Options
from opwright.model.status import Status
from opwright.model.worker import Outcome
from opwright.store.store import Store
from tests.contract.kit import operation, places, query, status, submit
from tests.scheduler.kit import Bench, bench

LONGER_THAN_A_BACKOFF = 3600.0


async def running_and_asked(store: Store, clock: TurnedClock) -> tuple[Bench, int]:
    """A host in which an operation runs that somebody has just asked to cancel; the host has not looked yet."""
    host = await bench(store, clock)
    new = operation(options=Options(retries=3, recoveries=3))
    await store.operations.submit([new])
    await host.look()
    assert host.placed == [new.id]
    assert await store.operations.cancel(new.id, "enough") == "asked"
    return host, new.id


async def cancelled_without_a_start(store: Store, host: Bench, identifier: int, started: list[int]) -> None:
    """The host looks at the queue: the operation ends there and then, and a neighbour in the same claim runs."""
    (neighbour,) = await submit(store)
    host.pool.slots = 2
    await host.lease.run_once()
    await host.look()
    await host.settler.run_once()
    assert host.placed == [*started, neighbour]
    assert host.pool.cancelled == []
    assert await status(store, identifier) is Status.CANCELLED
    assert (await places(store))["outcomes"] == [identifier]
    assert await query(store, "select operation from opwright.cancel_requests") == []
    assert len(host.scheduler._deadlines) == 0


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.DIED], ids=lambda outcome: outcome.name)
async def test_no_other_attempt_follows_an_accepted_cancel(store: Store, clock: TurnedClock, outcome: Outcome) -> None:
    """It failed, or its worker died, before the host heard of the cancel: the next claim cancels it."""
    host, identifier = await running_and_asked(store, clock)
    await host.end(host.pool.placed[0], outcome, error="it broke")
    assert await status(store, identifier) is not Status.CANCELLED
    clock.turn(LONGER_THAN_A_BACKOFF)
    await cancelled_without_a_start(store, host, identifier, [identifier])


async def test_no_other_host_begins_what_was_handed_back(store: Store, clock: TurnedClock) -> None:
    """Its host stopped before it heard of the cancel: the host that claims it next cancels it."""
    host, identifier = await running_and_asked(store, clock)
    host.scheduler.handing_back = True
    await host.end(host.pool.placed[0], Outcome.CANCELLED)
    assert (await places(store))["ready"] == [identifier]
    await cancelled_without_a_start(store, await bench(store, clock), identifier, [])


async def test_what_was_claimed_ahead_and_handed_back_is_cancelled(store: Store, clock: TurnedClock) -> None:
    """It waited behind another one when it was cancelled and went back unbegun."""
    host = await bench(store, clock)
    (identifier,) = await submit(store)
    host.pool.slots = 1
    await host.look()
    assert await store.operations.cancel(identifier, "enough") == "asked"
    host.scheduler.stop_claiming()
    await host.end(host.pool.placed[0], Outcome.RETURNED)
    assert (await places(store))["ready"] == [identifier]
    await cancelled_without_a_start(store, await bench(store, clock), identifier, [])

"""A host that is idle offers a slot to what its own process submits, and begins it without a claim of its own."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from opwright.clock import TurnedClock
from opwright.model.claim import Claim
from opwright.model.ids import new_id
from opwright.model.operation import NewOperation
from opwright.model.options import Options
from opwright.model.status import Status
from opwright.scheduler.offers import KEPT, Offer
from opwright.scheduler.rhythm import Rhythm
from opwright.store.engine import Engine
from opwright.store.store import Store
from opwright.telemetry import recorded
from tests.contract.kit import TRIGGER, operation, places, query, status
from tests.scheduler.kit import SEED, Bench, bench, eventually


@dataclass
class Beside:
    """A process whose one host is that of a bench."""

    host: Bench
    woken: int = 0

    def wake(self) -> None:
        self.woken += 1

    def offer(self, engine: Engine, operation: NewOperation) -> Offer | None:
        assert engine is self.host.store.engine
        return self.host.scheduler.offer(operation)

    async def submit(self, operation: NewOperation) -> int:
        await self.host.store.operations.submit([operation], self)
        return operation.id


async def idle(store: Store, clock: TurnedClock, slots: int = 1, rhythm: Rhythm = SEED) -> Beside:
    """A host that has worked off all that there was."""
    host = await bench(store, clock, slots=slots, rhythm=rhythm)
    beside = Beside(host)
    await beside.submit(operation())
    await host.look()
    await host.end(host.pool.placed[0])
    await host.steps()
    host.pool.placed.clear()
    host.queue.claims.clear()
    beside.woken = 0
    return beside


def offered(host: Bench) -> tuple[NewOperation, Offer]:
    """An operation that is about to be submitted, and the slot that it was offered."""
    new = operation()
    offer = host.scheduler.offer(new)
    assert offer is not None
    return new, offer


async def test_an_idle_host_begins_what_is_submitted_beside_it_without_a_claim(store: Store, clock: TurnedClock) -> None:
    """It stands in the tables as if it had been claimed, ends like anything else, and nobody was told to look."""
    beside = await idle(store, clock)
    host = beside.host
    identifier = await beside.submit(operation(inputs='{"x":1}', priority=7, options=Options(retries=3, timeout=60)))
    assert host.placed == [identifier]
    assert host.queue.claims == []
    assert beside.woken == 0
    task = host.pool.placed[0]
    assert (task.trigger, task.inputs, task.attempt) == (TRIGGER, '{"x":1}', 1)
    assert await query(store, "select operation, token, host, errors, deaths from opwright.claimed") == [
        (identifier, task.token, host.lease.host, 0, 0)
    ]
    assert (await places(store))["ready"] == []
    assert len(host.scheduler._deadlines) == 1
    await host.end(task)
    assert await status(store, identifier) is Status.SUCCEEDED


async def test_what_it_holds_so_is_what_a_claim_would_have_brought(store: Store, clock: TurnedClock) -> None:
    """Whatever is submitted alone: the same claim, but for its token."""
    beside = await idle(store, clock, slots=2)
    new = operation(inputs='["a", null]', priority=-3, options=Options(recoveries=2))
    new.submitter, new.parent = '"somebody"', 4711
    await beside.submit(new)
    held = beside.host.scheduler.holdings.claims[new.id]
    await beside.host.queue.give_back(beside.host.lease.host, [(held.operation, held.token)])
    (claimed,) = await claim(beside.host)
    assert claimed == Claim(**{name: getattr(held, name) for name in held.__struct_fields__} | {"token": claimed.token})


async def claim(host: Bench) -> list[Claim]:
    return await host.queue.claim(host=host.lease.host, token=new_id(), queue="default", triggers=[TRIGGER], limit=1)


async def test_so_many_are_offered_as_there_are_free_slots(store: Store, clock: TurnedClock) -> None:
    """What is on its way counts as taken, so that no claim and no other submit gets the same slot."""
    beside = await idle(store, clock, slots=2)
    host = beside.host
    offers = [host.scheduler.offer(operation()) for _ in range(3)]
    assert [offer is not None for offer in offers] == [True, True, False]
    await host.store.operations.submit([operation()])
    await host.look()
    assert host.queue.claims == []
    for offer in offers[:2]:
        assert offer is not None
        with offer:
            """The submit finds that it may not claim."""
    await host.look()
    assert len(host.placed) == 1


async def test_a_submit_that_nobody_answers_keeps_no_slot_for_long(store: Store, clock: TurnedClock) -> None:
    """After a second the host claims for it; what lands then waits for a worker, like any other claim."""
    beside = await idle(store, clock)
    host = beside.host
    new, offer = offered(host)
    with offer:
        await host.store.operations.submit([new], Given(offer))
        clock.turn(KEPT)
        other = await beside.submit(operation())
        assert host.placed == [other]
        offer.taken = True
    assert host.placed == [other]
    await host.end(host.pool.placed[0])
    await host.steps()
    assert host.placed == [other, new.id]


def another_trigger(host: Bench) -> NewOperation:
    return operation(trigger="elsewhere")


def unknown_queue(host: Bench) -> NewOperation:
    return operation(queue="new")


def news(host: Bench) -> NewOperation:
    host.scheduler.news()
    return operation()


def unsure_lease(host: Bench) -> NewOperation:
    host.clock.turn(3600)
    return operation()


def stopping(host: Bench) -> NewOperation:
    host.scheduler.stop_claiming()
    return operation()


def full(host: Bench) -> NewOperation:
    host.pool.slots = 0
    return operation()


@pytest.mark.parametrize("reason", [another_trigger, unknown_queue, news, unsure_lease, stopping, full])
async def test_what_a_claim_would_not_bring_now_is_left_to_a_claim(
    store: Store, clock: TurnedClock, reason: Callable[[Bench], NewOperation]
) -> None:
    """It is ready, as ever, and hosts are woken."""
    beside = await idle(store, clock)
    identifier = await beside.submit(reason(beside.host))
    assert (await places(store))["ready"] == [identifier]
    assert beside.host.placed == []
    assert beside.woken == 1


async def test_a_queue_that_this_host_does_not_serve_is_left_to_others(store: Store, clock: TurnedClock) -> None:
    """Whatever it knows of it."""
    beside = await idle(store, clock, rhythm=Rhythm(heartbeat=2.0, look_ahead=False, queues=("default",)))
    beside.host.scheduler._prospects.mark(["other"], more=False)
    assert beside.host.scheduler.offer(operation(queue="other")) is None
    assert beside.host.scheduler.offer(operation()) is not None


async def test_what_is_ready_goes_first(store: Store, clock: TurnedClock) -> None:
    """As long as a queue may have more than this host has taken, nothing overtakes it."""
    host = await bench(store, clock)
    beside = Beside(host)
    first, second = await beside.submit(operation()), await beside.submit(operation())
    await host.look()
    await host.end(host.pool.placed[0])
    third = await beside.submit(operation())
    assert host.placed == [first]
    await host.steps()
    assert host.placed == [first, second]
    await host.end(host.pool.placed[1])
    await host.steps()
    assert host.placed == [first, second, third]


async def test_a_submit_whose_answer_is_lost_goes_back_uncharged(store: Store, clock: TurnedClock) -> None:
    """It may have claimed: what stands in the name of this host and is not held is ready again, and claimed at once."""
    beside = await idle(store, clock)
    host = beside.host
    new, offer = offered(host)
    await host.store.operations.submit([new], Given(offer))
    with pytest.raises(ConnectionError), offer:
        raise ConnectionError
    assert host.placed == []
    assert (await places(store))["claimed"] == [new.id]
    assert host.scheduler.offer(operation()) is None
    with recorded() as events:
        await host.look()
    assert ("claim.reconciled", {"operations": [new.id]}) in events
    assert host.placed == [new.id]
    assert host.pool.placed[0].attempt == 1


class Given:
    """Gives a submit an offer, and leaves it to the test to tell the host what became of it."""

    def __init__(self, offer: Offer) -> None:
        self._offer = Offer(offer.host, offer.operation, offer.until, lambda *_: None)
        self._offer.token = offer.token

    def wake(self) -> None: ...

    def offer(self, *_: object) -> Offer:
        return self._offer


async def test_a_claim_of_a_submit_that_is_on_its_way_is_in_no_doubt(store: Store, clock: TurnedClock) -> None:
    """Committed, but not answered yet, while another claim's answer was lost."""
    beside = await idle(store, clock, slots=2)
    host = beside.host
    new, offer = offered(host)
    with offer:
        await host.store.operations.submit([new], Given(offer))
        host.scheduler._doubts.arise()
        await host.look()
        assert (await places(store))["claimed"] == [new.id]
        offer.taken = True
    assert host.placed == [new.id]


async def test_what_a_submit_claims_after_its_host_was_taken_over_is_dropped(store: Store, clock: TurnedClock) -> None:
    """Others have it, or will."""
    beside = await idle(store, clock)
    _, offer = offered(beside.host)
    with offer:
        beside.host.scheduler.forget()
        offer.taken = True
    assert beside.host.placed == []
    assert len(beside.host.scheduler.holdings) == 0


async def test_a_host_that_stops_waits_for_submits_on_their_way_and_hands_back_what_they_bring(
    store: Store, clock: TurnedClock
) -> None:
    """Uncharged, as what a claim brings at that moment."""
    beside = await idle(store, clock)
    host = beside.host
    new, offer = offered(host)
    with offer:
        await host.store.operations.submit([new], Given(offer))
        host.scheduler.stop_claiming()
        arriving = asyncio.create_task(host.scheduler.arrived())
        await eventually(host.scheduler._stepping.locked, "it waits")
        host.pool.slots = 0  # a pool that stops takes nothing
        offer.taken = True
    await arriving
    await host.settler.run_once()
    assert (await places(store))["ready"] == [new.id]
    assert await query(store, "select errors, deaths from opwright.ready") == [(0, 0)]

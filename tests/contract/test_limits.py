"""Limits: at most so many of a lane at once, or in a period, over all hosts; and whatever waits is never forgotten."""

import asyncio
import random
from itertools import pairwise
from typing import Any

import pytest

from opwright.clock import SECOND, TurnedClock
from opwright.model.claim import Claim, Release, Verdict, after_death, hand_back
from opwright.model.host import HostState
from opwright.model.operation import NewOperation, OnConflict
from opwright.model.status import Status
from opwright.store.store import Store
from tests.contract.kit import FAILURE, SUCCESS, Member, ids, operation, places, promptly, query, retry, status, submit, wait

LANE = "trigger work customer=1"


def limited(lane: str = LANE, capacity: int = 1, *, period: float | None = None, priority: int = 0, **rest: Any) -> NewOperation:
    """An operation under a limit."""
    new = operation(priority=priority, **rest)
    new.lane, new.capacity, new.held = lane, capacity, True
    new.period = None if period is None else round(period * SECOND)
    return new


async def enqueue(store: Store, count: int, **how: Any) -> list[int]:
    """Submit so many under one limit; their ids, oldest first."""
    new = [limited(**how) for _ in range(count)]
    await store.operations.submit(new)
    return [one.id for one in new]


async def begun(member: Member, limit: int = 100) -> list[Claim]:
    """What this host may begin, once the lanes are filled."""
    await member.store.queue.promote()
    await member.store.queue.admit()
    return await member.claim(limit)


async def test_at_most_so_many_of_a_lane_are_begun(store: Store, host: Member) -> None:
    first, second, third = await enqueue(store, 3, capacity=2)
    claims = await begun(host)
    assert ids(claims) == [first, second]
    assert ids(await begun(host)) == []
    assert await host.end(claims[0])
    assert ids(await begun(host)) == [third]


async def test_lanes_do_not_stand_in_each_others_way(store: Store, host: Member) -> None:
    """Two lanes, and what has no limit at all."""
    (one, _), (other, _) = await enqueue(store, 2, lane="a"), await enqueue(store, 2, lane="b")
    (free,) = await submit(store)
    assert set(ids(await begun(host))) == {one, other, free}


async def test_within_a_lane_the_more_urgent_is_first_then_the_older(store: Store, host: Member) -> None:
    new = [limited(priority=priority) for priority in (0, 5, 5, -5)]
    await store.operations.submit(new)
    order = []
    while claims := await begun(host):
        order += ids(claims)
        await host.end(claims[0])
    assert order == [new[number].id for number in (1, 2, 0, 3)]


async def test_a_saturated_lane_in_front_of_the_queue_keeps_nobody_waiting(store: Store, host: Member) -> None:
    """Thousands of one customer, the most urgent of all: another customer's operation still begins at the next look."""
    await enqueue(store, 3000, lane="big", priority=100)
    (small,) = await enqueue(store, 1, lane="small")
    claims = await begun(host)
    assert small in ids(claims)
    assert len(claims) == 2


@pytest.mark.parametrize("seed", range(3))
async def test_submits_and_ends_at_the_same_time_strand_nothing_and_never_exceed_the_limit(  # noqa: PLR0917 - pytest hands over by name
    store: Store, other: Store, host: Member, rival: Member, clock: TurnedClock, seed: int
) -> None:
    """Two hosts begin and end, two processes submit, all at once: at most three at a time, and in the end all are done."""
    chance, total, capacity, held = random.Random(seed), 120, 3, 0

    async def submitting(to: Store) -> None:
        for _ in range(total // 8):
            await enqueue(to, 4, capacity=capacity)

    async def working(member: Member) -> None:
        nonlocal held
        while len((await places(member.store))["outcomes"]) < total:
            clock.turn(0.01)
            for claim in await begun(member, chance.randint(1, capacity)):
                held += 1
                assert held <= capacity, "more of a lane were held than its limit allows"
                await asyncio.sleep(0)
                held -= 1
                verdicts: list[Verdict] = [SUCCESS, FAILURE, retry(claim, 0.001), Release(0, 0)]
                assert await member.end(claim, chance.choice(verdicts))

    work = asyncio.gather(submitting(store), submitting(other), working(host), working(rival))
    async with asyncio.timeout(50):
        await work
    assert await query(store, "select count(*) from opwright.limited") == [(0,)]


async def test_slots_that_fall_free_together_are_filled_once(store: Store, other: Store, host: Member, rival: Member) -> None:
    """Two hosts fill lanes at the same time: as many go on as there are slots, and no more."""
    await enqueue(store, 20, capacity=4)
    claims = await begun(host)
    await host.settle(*((claim, SUCCESS) for claim in claims))
    admitted = await promptly(asyncio.gather(*(one.queue.admit() for one in (store, other) * 3)))
    assert sum(len(queues) for queues in admitted) == 4
    assert len(await rival.claim() + await host.claim()) == 4


async def test_what_waits_for_another_attempt_gives_its_slot_to_the_next(store: Store, host: Member) -> None:
    """After its pause it asks for a slot again, and takes its turn."""
    first, second = await enqueue(store, 2)
    (claim,) = await begun(host)
    await host.end(claim, retry(claim, 60))
    (after,) = await begun(host)
    assert (claim.operation, after.operation) == (first, second)


async def test_after_its_pause_it_asks_for_a_slot_again(store: Store, host: Member, clock: TurnedClock) -> None:
    first, second = await enqueue(store, 2)
    (claim,) = await begun(host)
    await host.end(claim, wait(claim, 60))
    (after,) = await begun(host)
    clock.turn(61)
    assert ids(await begun(host)) == [], "it went on beside the one that has the slot"
    await host.end(after)
    assert (ids(await begun(host)), after.operation) == ([first], second)


async def test_a_cancelled_operation_that_waits_for_a_slot_is_out_of_the_way(store: Store, host: Member) -> None:
    first, second, third = await enqueue(store, 3)
    (claim,) = await begun(host)
    assert await store.operations.cancel(second, "enough") == "cancelled"
    await host.end(claim)
    assert (ids(await begun(host)), await status(store, second)) == ([third], Status.CANCELLED)
    assert claim.operation == first


async def test_a_cancelled_operation_that_has_a_slot_and_was_not_begun_gives_it_back(store: Store, host: Member) -> None:
    first, second = await enqueue(store, 2)
    await store.queue.admit()
    assert await store.operations.cancel(first, "enough") == "cancelled"
    assert ids(await begun(host)) == [second]


async def test_a_slot_falls_free_with_the_operation_of_a_dead_host(store: Store, host: Member, rival: Member) -> None:
    """The rescuer's verdict frees it, in the same transaction."""
    first, second = await enqueue(store, 2)
    await begun(rival)
    await query(store, f"update opwright.hosts set state = {int(HostState.DEAD)} where id = {rival.id}")
    (orphan,) = await store.queue.orphans(10)
    assert orphan.claim.operation == first
    assert await host.end(orphan.claim, FAILURE)
    assert ids(await begun(host)) == [second]


async def test_what_a_dead_host_had_keeps_its_slot_when_it_is_begun_again(store: Store, host: Member, rival: Member) -> None:
    first, _ = await enqueue(store, 2)
    await begun(rival)
    await query(store, f"update opwright.hosts set state = {int(HostState.DEAD)} where id = {rival.id}")
    (orphan,) = await store.queue.orphans(10)
    assert await host.end(orphan.claim, after_death(orphan.claim, "its host died"))
    assert ids(await begun(host)) == [first]


async def test_never_more_than_n_begin_in_any_period(store: Store, host: Member, clock: TurnedClock) -> None:
    """Two in ten seconds: whatever the moment from which one counts, and however early each ends."""
    await enqueue(store, 7, capacity=2, period=10.0)
    begins: list[float] = []
    for tick in range(45):
        claims = await begun(host)
        begins += [float(tick)] * len(claims)
        await host.settle(*((claim, SUCCESS) for claim in claims))
        clock.turn(1)
    assert len(begins) == 7
    assert all(later - earlier >= 10 for earlier, later in zip(begins, begins[2:], strict=False)), begins
    assert begins[-1] <= 31, "slots lay idle"


async def test_a_limited_operation_may_have_a_key_and_a_delay(store: Store, host: Member, clock: TurnedClock) -> None:
    """The key is held while it waits for its slot; replaced, it leaves the lane."""
    (first,) = await enqueue(store, 1)
    late = limited(wait=5 * SECOND, key="k")
    assert await store.operations.submit_keyed(late, OnConflict.FAIL) == late.id
    (claim,) = await begun(host)
    clock.turn(6)
    assert ids(await begun(host)) == []
    newer = limited(key="k")
    assert await store.operations.submit_keyed(newer, OnConflict.REPLACE) == newer.id
    await host.end(claim)
    assert (ids(await begun(host)), claim.operation) == ([newer.id], first)
    assert await status(store, late.id) is Status.CANCELLED


@pytest.mark.parametrize("died", [True, False])
async def test_what_is_begun_again_counts_as_another_begin(store: Store, host: Member, clock: TurnedClock, *, died: bool) -> None:
    """After a death, or handed back: within a period both begins of one operation are among the n."""
    await enqueue(store, 3, period=10.0)
    begins = []
    for tick in range(60):
        for claim in await begun(host):
            begins.append(tick)
            clock.turn(0.001)
            again = after_death(claim, "its worker died") if died else hand_back(claim)
            await host.end(claim, again if len(begins) == 1 else SUCCESS)
        clock.turn(1)
    assert len(begins) == 4
    assert all(later - earlier >= 10 for earlier, later in pairwise(begins)), begins


async def test_a_host_that_dies_between_a_claim_and_its_pace_blocks_no_lane(
    store: Store, host: Member, rival: Member, clock: TurnedClock
) -> None:
    """The slot was not given its time yet: it falls free, and both go on, each at its turn."""
    first, second = await enqueue(store, 2, period=10.0)
    await begun(rival)
    await query(store, "update opwright.slots set until = null")
    await query(store, f"update opwright.hosts set state = {int(HostState.DEAD)} where id = {rival.id}")
    (orphan,) = await store.queue.orphans(10)
    assert await host.end(orphan.claim, after_death(orphan.claim, "its host died"))
    (claim,) = await begun(host)
    assert (claim.operation, claim.deaths) == (first, 1)
    await host.end(claim)
    clock.turn(11)
    assert ids(await begun(host)) == [second]

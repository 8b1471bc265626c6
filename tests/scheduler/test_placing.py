"""What was not ready becomes so without a heartbeat's delay: when a lane has a slot, when what it follows has ended."""

from typing import Any

import pytest

from opwright.clock import SECOND, TurnedClock
from opwright.model.operation import NewOperation
from opwright.model.options import Backoff, Options
from opwright.model.status import Status
from opwright.model.worker import Outcome, Task
from opwright.scheduler.rhythm import Rhythm
from opwright.store.store import Store
from tests.contract.kit import operation, status
from tests.scheduler.kit import Bench, bench

SLOW = Rhythm(heartbeat=3600.0, look_ahead=False)  # what is found is not found by a heartbeat
AGAIN = Options(retries=1, backoff=Backoff(first=60, factor=1, jitter=0))


def limited(lane: str = "lane", capacity: int = 1, *, period: float | None = None, **rest: Any) -> NewOperation:
    """An operation under a limit."""
    new = operation(**rest)
    new.lane, new.capacity, new.held = lane, capacity, True
    new.period = None if period is None else round(period * SECOND)
    return new


def following(*predecessors: int, despite: bool = False, **rest: Any) -> NewOperation:
    """An operation that follows others."""
    new = operation(**rest)
    new.after, new.despite, new.held = predecessors, despite, True
    return new


async def put(store: Store, *new: NewOperation) -> list[int]:
    """Submit these at once; their ids."""
    await store.operations.submit(new)
    return [one.id for one in new]


@pytest.fixture
async def desk(store: Store, clock: TurnedClock) -> Bench:
    """A scheduler with ten places."""
    return await bench(store, clock, slots=10, rhythm=SLOW)


async def turn(desk: Bench, seconds: float) -> None:
    """Time goes by; the lease is renewed, and the scheduler does what is due."""
    desk.clock.turn(seconds)
    await desk.lease.run_once()
    await desk.steps()


async def end(desk: Bench, task: Task, outcome: Outcome = Outcome.DONE, **told: Any) -> None:
    """A task ends, and everything that follows from it is done; its host tells the scheduler of a slot, as hosts do."""
    await desk.end(task, outcome, **told)
    desk.scheduler.freed()
    await desk.steps()


async def look(desk: Bench) -> None:
    """News, and everything that follows from them."""
    desk.scheduler.news()
    await desk.steps()


async def test_a_limited_operation_is_begun_at_the_first_look(desk: Bench, store: Store) -> None:
    first, _ = await put(store, limited(), limited())
    await look(desk)
    assert desk.placed == [first]


async def test_the_next_of_a_lane_begins_when_the_one_before_has_ended(desk: Bench, store: Store) -> None:
    """At once: the end of the one is the reason to look."""
    one, two = await put(store, limited(), limited())
    await look(desk)
    await end(desk, desk.pool.placed[0])
    assert desk.placed == [one, two]


async def test_thousands_of_one_customer_in_front_keep_no_other_waiting(desk: Bench, store: Store) -> None:
    """However many wait for a saturated lane, and though they came first: another lane's operation begins at this look."""
    big = await put(store, *(limited("big", priority=100) for _ in range(3000)))
    (small,) = await put(store, limited("small"))
    await look(desk)
    assert desk.placed == [big[0], small]


async def test_what_is_tried_again_leaves_its_slot_during_its_pause(desk: Bench, store: Store) -> None:
    """The next one of the lane runs meanwhile; after the pause it waits until that one has ended."""
    one, two = await put(store, limited(options=AGAIN), limited())
    await look(desk)
    await end(desk, desk.pool.placed[0], Outcome.FAILED, error="it broke")
    assert desk.placed == [one, two]
    await turn(desk, 61)
    assert desk.placed == [one, two], "it ran beside the one that has the slot"
    await end(desk, desk.pool.placed[1])
    assert desk.placed == [one, two, one]


async def test_a_retry_that_is_written_while_the_queue_is_looked_at_is_not_forgotten(desk: Bench, store: Store) -> None:
    """The answer of that look is older, and knows of nothing that will be due."""
    (one,) = await put(store, operation(options=AGAIN))
    await look(desk)
    desk.queue.meanwhile = lambda: desk.end(desk.pool.placed[0], Outcome.FAILED, error="it broke")
    assert await desk.look() <= 60
    await turn(desk, 61)
    assert desk.placed == [one, one]


async def test_a_slot_with_a_period_is_waited_for_without_a_heartbeat(desk: Bench, store: Store) -> None:
    """Two a minute: no third begins before the minute is over, however early the two end, and it begins then."""
    all_three = await put(store, *(limited(capacity=2, period=60) for _ in range(3)))
    await look(desk)
    assert desk.placed == all_three[:2]
    for task in tuple(desk.pool.placed):
        await end(desk, task)
    await turn(desk, 59)
    assert desk.placed == all_three[:2]
    await turn(desk, 1.01)
    assert desk.placed == all_three


async def test_a_follower_begins_when_the_last_it_follows_has_ended(desk: Bench, store: Store) -> None:
    first, second = await put(store, operation(), operation())
    (after,) = await put(store, following(first, second))
    await look(desk)
    assert desk.placed == [first, second]
    for task in tuple(desk.pool.placed):
        assert await status(store, after) is Status.PENDING
        await end(desk, task)
    assert desk.placed == [first, second, after]


async def test_a_follower_of_what_has_ended_long_ago_begins_at_the_first_look(desk: Bench, store: Store) -> None:
    (first,) = await put(store, operation())
    await look(desk)
    await end(desk, desk.pool.placed[0])
    (after,) = await put(store, following(first))
    await look(desk)
    assert desk.placed == [first, after]


async def test_a_failure_cancels_what_follows_it_down_the_line(desk: Bench, store: Store) -> None:
    """Its follower, and the follower of that; but not who was told to go on despite a failure."""
    (first,) = await put(store, operation())
    (second,) = await put(store, following(first))
    third, anyway = await put(store, following(second), following(second, despite=True))
    await look(desk)
    await end(desk, desk.pool.placed[0], Outcome.FAILED, error="it broke")
    assert [await status(store, one) for one in (second, third)] == [Status.CANCELLED] * 2
    assert desk.placed == [first, anyway]


async def test_a_follower_may_have_a_delay_and_a_limit(desk: Bench, store: Store) -> None:
    """It begins when all three allow it: its predecessor, its time, its lane."""
    (first, holder) = await put(store, operation(), limited())
    (after,) = await put(store, bound(following(first, wait=60 * SECOND)))
    await look(desk)
    before, held = desk.pool.placed
    assert (before.operation, held.operation) == (first, holder)
    await end(desk, before)
    await turn(desk, 61)
    assert after not in desk.placed, "its lane is taken"
    await end(desk, held)
    assert desk.placed[2:] == [after]


def bound(new: NewOperation) -> NewOperation:
    """The operation in the lane of the others."""
    new.lane, new.capacity = "lane", 1
    return new

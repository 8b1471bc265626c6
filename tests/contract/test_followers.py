"""Followers: begun when all that they follow has succeeded, cancelled when something has not, whoever ends it and when."""

import asyncio
from itertools import chain

import msgspec
import pytest

from opwright.clock import SECOND, TurnedClock
from opwright.model.claim import Verdict
from opwright.model.ids import COUNTER_BITS, new_id
from opwright.model.operation import NewOperation, OnConflict
from opwright.model.status import Status
from opwright.store.store import Store
from tests.contract.kit import CANCELLATION, FAILURE, SUCCESS, Member, operation, query, status, submit

MOST_BEHIND = 2 * 3600 * 1000  # milliseconds: an hour for the transaction, and one for the clock of its process


def follower(*after: int, despite: bool | None = None, **changes: object) -> NewOperation:
    """An operation that follows others."""
    return msgspec.structs.replace(operation(), after=after, despite=despite, **changes)


async def follow(store: Store, *after: int, despite: bool | None = None, **changes: object) -> int:
    """Submit a follower; its id."""
    new = follower(*after, despite=despite, **changes)
    await store.operations.submit([new])
    return new.id


async def end(host: Member, verdict: Verdict = SUCCESS) -> int:
    """Carry out the first that is ready; its id."""
    claim = await host.take()
    assert await host.end(claim, verdict)
    return claim.operation


async def test_a_follower_is_ready_when_the_last_has_succeeded(store: Store, host: Member) -> None:
    """Not before, and then at once; until then it reads PENDING."""
    first, second = await submit(store, 2)
    late = await follow(store, first, second)
    assert await store.queue.follow([]) == []
    assert await store.queue.follow([await end(host)]) == []
    assert await status(store, late) is Status.PENDING
    assert await store.queue.follow([await end(host)]) == ["default"]
    assert (await host.take()).operation == late


@pytest.mark.parametrize("verdict", [FAILURE, CANCELLATION])
async def test_a_follower_of_what_did_not_succeed_is_cancelled(store: Store, host: Member, verdict: Verdict) -> None:
    """It says why, without waiting for the others that it follows."""
    first, second = await submit(store, 2)
    late = await follow(store, first, second)
    await store.queue.follow([await end(host, verdict)])
    found = await store.operations.get(late)
    assert (found.status, found.error) == (Status.CANCELLED, "an operation that it follows did not succeed")


async def test_one_that_is_told_to_runs_despite_failures(store: Store, host: Member) -> None:
    """When all have ended, however."""
    first, second = await submit(store, 2)
    late = await follow(store, first, second, despite=True)
    assert await store.queue.follow([await end(host, FAILURE)]) == []
    assert await store.queue.follow([await end(host)]) == ["default"]
    assert (await host.take()).operation == late


async def test_a_cancelled_follower_cancels_those_that_follow_it(store: Store, host: Member) -> None:
    """All the way down, at once."""
    (first,) = await submit(store)
    second = await follow(store, first)
    third = await follow(store, second)
    fourth = await follow(store, third, despite=True)
    assert await store.queue.follow([await end(host, FAILURE)]) == ["default"]
    assert [await status(store, one) for one in (second, third, fourth)] == [
        Status.CANCELLED, Status.CANCELLED, Status.PENDING,
    ]  # fmt: skip


async def test_following_what_has_ended_already_is_no_wait(store: Store, host: Member) -> None:
    """The next look finds it, without being told of any end."""
    await submit(store)
    await follow(store, await end(host))
    assert await store.queue.follow([]) == ["default"]


async def test_an_end_that_nobody_told_of_is_found(store: Store, host: Member) -> None:
    """The follower had been looked at before, and whoever ended the other one died before it could tell."""
    (first,) = await submit(store)
    await follow(store, first)
    assert await store.queue.follow([]) == []
    await end(host)
    assert await store.queue.follow([]) == []
    ended, position = await store.queue.overlooked((0, 0), 100)
    assert (ended, position) == ([first], (0, 0))
    assert await store.queue.follow(ended) == ["default"]
    assert await store.queue.overlooked((0, 0), 100) == ([], (0, 0))


@pytest.mark.fault("F43")
async def test_what_never_came_to_be_counts_as_failed_after_three_hours(store: Store) -> None:
    """Its submit was rolled back. A young one may still be committed, also where its clock was behind: it is waited for."""
    old, young, behind = 5, new_id(), new_id() - (MOST_BEHIND << COUNTER_BITS)
    first, second, third = await follow(store, old), await follow(store, young), await follow(store, behind)
    await store.queue.follow([])
    assert await status(store, first) is Status.CANCELLED
    assert [await status(store, one) for one in (second, third)] == [Status.PENDING] * 2


async def test_a_follower_keeps_its_delay(store: Store, host: Member, clock: TurnedClock) -> None:
    """What it follows has ended long before: it is begun when it is due."""
    (first,) = await submit(store)
    await follow(store, first, wait=60 * SECOND)
    await store.queue.follow([await end(host)])
    assert await host.claim() == []
    clock.turn(60)
    assert await store.queue.promote() == ["default"]


async def test_a_follower_with_a_lane_asks_for_its_slot_afterwards(store: Store, host: Member) -> None:
    """While it follows it holds none."""
    (first,) = await submit(store)
    late = await follow(store, first, lane="a", capacity=1, held=True)
    assert await store.queue.admit() == []
    await store.queue.follow([await end(host)])
    assert await host.claim() == []
    assert await store.queue.admit() == ["default"]
    assert (await host.take()).operation == late


async def test_a_follower_can_be_cancelled(store: Store, host: Member) -> None:
    """And is not brought back by the end of what it followed."""
    (first,) = await submit(store)
    late = await follow(store, first)
    assert await store.operations.cancel(late, "no") == "cancelled"
    assert await store.queue.follow([await end(host)]) == []
    assert await status(store, late) is Status.CANCELLED


async def test_a_follower_with_a_key_frees_it_when_it_is_cancelled(store: Store, host: Member) -> None:
    """The key is taken while it waits, and free afterwards."""
    (first,) = await submit(store)
    late = follower(first, key="k")
    assert await store.operations.submit_keyed(late, OnConflict.FAIL) == late.id
    await store.queue.follow([await end(host, FAILURE)])
    assert await query(store, "select * from opwright.operation_keys") == []


async def test_a_predecessor_named_twice_counts_once(store: Store, host: Member) -> None:
    """As it is one operation."""
    (first,) = await submit(store)
    await follow(store, first, first)
    assert await store.queue.follow([await end(host)]) == ["default"]


async def test_two_processes_that_end_the_last_two_let_go_once(store: Store, other: Store, host: Member, rival: Member) -> None:
    """Both count down at the same time; one of them is the last."""
    for _ in range(10):
        first, second = await submit(store, 2)
        late = await follow(store, first, second)
        mine, theirs = await host.take(), await rival.take()
        assert await host.end(mine)
        assert await rival.end(theirs)
        queues = await asyncio.gather(store.queue.follow([mine.operation]), other.queue.follow([theirs.operation]))
        assert list(chain(*queues)) == ["default"]
        last = await host.take()
        assert last.operation == late
        await host.end(last)


async def test_whom_an_operation_follows_stays_on_record(store: Store, host: Member) -> None:
    """Its trigger may ask for their results."""
    first, second = await submit(store, 2)
    late = await follow(store, second, first)
    await store.queue.follow([await end(host), await end(host)])
    assert await store.operations.predecessors(late) == {first: "work", second: "work"}

"""Placing beside cancels that are under way: no slot is lost, nobody waits for a caller's transaction, nothing is left over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from asyncpg.transaction import Transaction

from opwright.clock import TurnedClock
from opwright.model.status import Status
from opwright.store import submits
from opwright.store.foreign import recognise
from opwright.store.store import Store
from tests.contract.kit import SUCCESS, Member, ids, join, promptly, query, status, submit
from tests.contract.test_followers import follow, follower
from tests.contract.test_limits import begun, enqueue

ROUNDS = 60
LEAKED = "select count(*) from opwright.slots s join opwright.outcomes e on e.operation = s.operation where s.until is null"
HALF_A_SECOND = 0.5  # within which a slot that had to be left over is offered again


@asynccontextmanager
async def cancelling(store: Store, operation: int) -> AsyncIterator[Transaction]:
    """A cancel in a caller's transaction that stays open in this block; the block says how it ends."""
    raw = await asyncpg.connect(store.engine.url, statement_cache_size=0)
    try:
        transaction = raw.transaction()
        await transaction.start()
        assert await recognise(raw, store.engine).play_async(submits.cancel(operation, "enough")) == "cancelled"
        yield transaction
    finally:
        await raw.close()


async def test_a_slot_survives_a_cancel_that_is_under_way(shared: Store, clock: TurnedClock) -> None:
    """The slot falls free while the first in the lane is being cancelled: it goes to the next one, never to what has ended."""
    host = await join(shared)
    _, cancelled = await enqueue(shared, 2)
    (running,) = await begun(host)
    async with cancelling(shared, cancelled) as transaction:
        assert await host.end(running)
        assert await promptly(shared.queue.admit()) == []
        await transaction.commit()
    assert await query(shared, LEAKED) == [(0,)]
    (later,) = await enqueue(shared, 1)
    clock.turn(HALF_A_SECOND)
    assert ids(await begun(host)) == [later]


async def test_a_newcomer_that_is_being_cancelled_takes_no_slot(shared: Store) -> None:
    """Nobody had looked at it yet."""
    host = await join(shared)
    (cancelled,) = await enqueue(shared, 1)
    async with cancelling(shared, cancelled) as transaction:
        assert await promptly(shared.queue.admit()) == []
        await transaction.commit()
    (later,) = await enqueue(shared, 1)
    assert ids(await begun(host)) == [later]
    assert await query(shared, LEAKED) == [(0,)]


async def test_what_was_not_cancelled_after_all_is_admitted(shared: Store, clock: TurnedClock) -> None:
    """The caller rolls back: the slot that was left over is offered again in a moment, and the look says when."""
    host = await join(shared)
    _, kept = await enqueue(shared, 2)
    (running,) = await begun(host)
    async with cancelling(shared, kept) as transaction:
        assert await host.end(running)
        assert await promptly(shared.queue.admit()) == []
        await transaction.rollback()
    peek = await shared.queue.peek()
    assert peek.free is not None
    assert peek.now < peek.free <= peek.now + HALF_A_SECOND * 1e6
    clock.turn(HALF_A_SECOND)
    assert ids(await begun(host)) == [kept]


async def test_a_cancel_that_is_under_way_blocks_no_other_lane(shared: Store) -> None:
    """The caller may take an hour: whoever is in another lane begins at the next look."""
    host = await join(shared)
    (cancelled,) = await enqueue(shared, 1, lane="a")
    (other,) = await enqueue(shared, 1, lane="b")
    async with cancelling(shared, cancelled):
        assert ids(await promptly(begun(host))) == [other]


async def test_a_follower_that_is_being_cancelled_keeps_no_other_waiting(shared: Store, clock: TurnedClock) -> None:
    """The other follower goes on at once; the one of the caller when he rolls back and somebody looks again."""
    host = await join(shared)
    (first,) = await submit(shared)
    doubtful, other = await follow(shared, first), await follow(shared, first)
    async with cancelling(shared, doubtful) as transaction:
        assert await host.end(await host.take())
        assert await promptly(shared.queue.follow([first])) == ["default"]
        assert (await host.take()).operation == other
        await transaction.rollback()
    overlooked, _ = await shared.queue.overlooked((0, 0), 100)
    assert await shared.queue.follow(overlooked) == ["default"]
    assert (await host.take()).operation == doubtful


async def test_cancels_at_the_same_time_as_ends_lose_no_slot(store: Store, other: Store, host: Member) -> None:
    """Whoever comes first, the cancel or the slot: no slot stays with what has ended."""
    for number in range(ROUNDS):
        _, waiting = await enqueue(store, 2, lane=f"lane {number}")
        (running,) = await begun(host)
        assert await host.end(running)
        await promptly(asyncio.gather(store.queue.admit(), other.operations.cancel(waiting, "enough")))
        for claim in await host.claim():
            await host.end(claim)
    assert await query(store, LEAKED) == [(0,)]


async def test_more_followers_than_a_batch_go_on_in_one_look(store: Store, host: Member) -> None:
    """All 1,500 that follow one operation, when it has ended."""
    (first,) = await submit(store)
    await store.operations.submit([follower(first) for _ in range(1500)])
    assert await host.end(await host.take())
    assert len(await store.queue.follow([first])) == 1500
    assert await query(store, "select count(*) from opwright.following") == [(0,)]


async def test_ten_thousand_that_have_ended_keep_their_follower_for_one_look_only(store: Store, host: Member) -> None:
    """They had all ended when it was submitted."""
    await submit(store, 10_000)
    claims = await host.claim(10_000)
    await host.settle(*((claim, SUCCESS) for claim in claims))
    new = follower(*ids(claims))
    await store.operations.submit([new])
    assert await store.queue.follow([]) == ["default"]
    assert ids(await host.claim()) == [new.id]


@pytest.mark.parametrize("despite", [False, True])
async def test_a_follower_of_what_was_cancelled_goes_on_at_the_next_look(store: Store, host: Member, *, despite: bool) -> None:
    """No host had the cancelled one, so none can tell of its end; but housekeeping need not find it either."""
    (first,) = await submit(store)
    late = await follow(store, first, despite=despite)
    assert await store.queue.follow([]) == []
    assert await store.operations.cancel(first, "enough") == "cancelled"
    await store.queue.follow([])
    assert await status(store, late) is (Status.PENDING if despite else Status.CANCELLED)
    assert ids(await host.claim()) == ([late] if despite else [])

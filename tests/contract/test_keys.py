"""Keys: at most one living operation of a trigger bears a key, and the loser learns who won."""

import asyncio
from contextlib import suppress

import pytest

from opwright.clock import SECOND, TurnedClock
from opwright.errors import DuplicateRow, KeyTaken
from opwright.model.claim import End
from opwright.model.operation import OnConflict
from opwright.model.status import Status
from opwright.store.store import Store
from tests.contract.kit import (
    ENDS,
    FAILURE,
    HAND_BACK,
    Member,
    OpenStore,
    ids,
    operation,
    places,
    promptly,
    query,
    retry,
    status,
    submit,
)

FAIL, SKIP, REPLACE = OnConflict.FAIL, OnConflict.SKIP, OnConflict.REPLACE


async def keyed(store: Store, key: str = "k", on_conflict: OnConflict = FAIL, **fields: int) -> int:
    """Submit one with a key; the id of the operation that holds it afterwards."""
    return await store.operations.submit_keyed(operation(key=key, **fields), on_conflict)  # type: ignore[arg-type]


async def test_a_taken_key_fails_and_names_the_winner(store: Store, other: Store) -> None:
    """FAIL stores nothing and tells which operation holds the key."""
    winner = await keyed(store)
    with pytest.raises(KeyTaken) as caught:
        await keyed(other)
    assert (caught.value.winner, caught.value.field) == (winner, "key")
    assert str(winner) in str(caught.value)
    assert await query(store, "select id from opwright.operations") == [(winner,)]


async def test_a_taken_key_is_skipped_for_the_winner(store: Store, other: Store) -> None:
    """SKIP stores nothing and hands out the operation that is there."""
    winner = await keyed(store)
    assert await keyed(other, on_conflict=SKIP) == winner
    assert await query(store, "select id from opwright.operations") == [(winner,)]


@pytest.mark.parametrize("pause", [None, 60 * SECOND])
async def test_an_unstarted_winner_is_replaced(store: Store, other: Store, pause: int | None) -> None:
    """REPLACE cancels what nobody has begun, ready or delayed, and says by what it was replaced."""
    old = operation(key="k", wait=pause)
    await store.operations.submit_keyed(old, FAIL)
    new = await keyed(other, on_conflict=REPLACE)
    assert new != old.id
    replaced = await store.operations.get(old.id)
    assert (replaced.status, replaced.error) == (Status.CANCELLED, f"replaced by operation {new}")
    assert (await places(store))["ready"] == [new]
    assert await query(store, "select operation from opwright.operation_keys") == [(new,)]


async def test_a_begun_winner_is_not_replaced(store: Store, host: Member) -> None:
    """REPLACE never touches what a host holds: it fails and names the winner."""
    winner = await keyed(store)
    await host.take()
    with pytest.raises(KeyTaken) as caught:
        await keyed(store, on_conflict=REPLACE)
    assert caught.value.winner == winner
    assert await status(store, winner) is Status.PROCESSING
    assert await query(store, "select count(*) from opwright.operations") == [(1,)]


@pytest.mark.fault("F54")
async def test_a_winner_that_waits_for_its_retry_is_replaced(store: Store, host: Member) -> None:
    """Between two attempts nobody holds the operation, so it may be replaced."""
    old = await keyed(store)
    claim = await host.take()
    await host.end(claim, retry(claim))
    new = await keyed(store, on_conflict=REPLACE)
    assert await status(store, old) is Status.CANCELLED
    assert ids(await host.claim()) == [new]


@pytest.mark.fault("F53")
async def test_a_hundred_concurrent_submits_of_one_key_give_one_operation(open_store: OpenStore) -> None:
    """Whoever loses the race is told the winner; nothing is stored twice (F53)."""
    stores = [await open_store() for _ in range(4)]
    winners = await asyncio.gather(*(keyed(stores[n % 4], on_conflict=SKIP) for n in range(100)))
    assert len(set(winners)) == 1
    assert await query(stores[0], "select id from opwright.operations") == [(winners[0],)]


@pytest.mark.fault("F53")
async def test_of_many_that_would_fail_exactly_one_wins(open_store: OpenStore) -> None:
    """Under FAIL one submit of many succeeds, and every other names it."""
    stores = [await open_store() for _ in range(2)]
    answers = await asyncio.gather(*(keyed(stores[n % 2]) for n in range(30)), return_exceptions=True)
    (winner,) = [answer for answer in answers if isinstance(answer, int)]
    losers = [answer.winner for answer in answers if isinstance(answer, KeyTaken)]
    assert losers == [winner] * 29


async def test_of_many_that_replace_each_other_one_is_left(open_store: OpenStore) -> None:
    """Concurrent REPLACE leaves one holder; whoever was replaced is cancelled, whoever failed left nothing."""
    stores = [await open_store() for _ in range(2)]
    await keyed(stores[0])
    work = (keyed(stores[n % 2], on_conflict=REPLACE) for n in range(20))
    answers = await promptly(asyncio.gather(*work, return_exceptions=True))
    landed = [answer for answer in answers if isinstance(answer, int)]
    found = await places(stores[0])
    assert len(found["ready"]) == 1
    assert len(found["outcomes"]) == len(landed)
    assert set(found["ready"]) <= set(landed)


def holder_of(answer: object) -> int:
    """Who has the key, as a submit was told."""
    if isinstance(answer, KeyTaken):
        return answer.winner
    assert isinstance(answer, int), answer
    return answer


@pytest.mark.fault("F54")
async def test_what_becomes_ready_and_what_replaces_it_at_the_same_time_never_both_live(
    store: Store, other: Store, host: Member, clock: TurnedClock
) -> None:
    """Of each pair one is left, ready and in possession of the key: the newer one, or the older one, which the newer is told."""
    keys = [f"k{number}" for number in range(50)]
    older = {key: await keyed(store, key) for key in keys}
    for claim in await host.claim():
        await host.end(claim, retry(claim, delay=1))
    clock.turn(1)
    replacing = (keyed(other, key, REPLACE) for key in keys)
    _, *answers = await promptly(asyncio.gather(store.queue.promote(), *replacing, return_exceptions=True))
    await store.queue.promote()
    left = {key: holder_of(answer) for key, answer in zip(keys, answers, strict=True)}
    assert dict(await query(store, "select key, operation from opwright.operation_keys")) == left
    assert sorted((await places(store))["ready"]) == sorted(left.values())
    assert sorted((await places(store))["outcomes"]) == sorted(one for key, one in older.items() if left[key] != one)
    assert sorted(ids(await host.claim())) == sorted(left.values())


@pytest.mark.parametrize("end", ENDS)
async def test_the_key_is_free_after_any_end(store: Store, host: Member, end: End) -> None:
    """A key lives as long as its operation does."""
    await keyed(store)
    await host.end(await host.take(), end)
    new = await keyed(store)
    assert await status(store, new) is Status.PENDING


@pytest.mark.parametrize("pause", [None, 60 * SECOND])
async def test_the_key_is_free_after_a_cancel(store: Store, pause: int | None) -> None:
    """Cancelling what is ready or delayed frees the key with it."""
    old = operation(key="k", wait=pause)
    await store.operations.submit_keyed(old, FAIL)
    assert await store.operations.cancel(old.id, "no longer wanted") == "cancelled"
    assert await keyed(store) != old.id


async def test_the_key_is_free_after_failing_unclaimed(store: Store) -> None:
    """An operation that ends because nobody knows its trigger frees its key too."""
    old = await keyed(store)
    await store.queue.fail_ready([("default", 0, old, "nobody knows it")])
    assert await keyed(store) != old


@pytest.mark.fault("F54")
async def test_the_key_is_held_between_attempts(store: Store, host: Member, clock: TurnedClock) -> None:
    """Retry, wait and hand-back are not ends: the key stays taken."""
    winner = await keyed(store)
    claim = await host.take()
    await host.end(claim, HAND_BACK)
    assert await keyed(store, on_conflict=SKIP) == winner
    claim = await host.take()
    await host.end(claim, retry(claim, delay=1))
    assert await keyed(store, on_conflict=SKIP) == winner
    clock.turn(1)
    await store.queue.promote()
    assert await keyed(store, on_conflict=SKIP) == winner


async def test_a_stale_end_frees_no_key(store: Store, host: Member) -> None:
    """A late writer cannot open the door for a second operation of the same key."""
    winner = await keyed(store)
    old = await host.take()
    await host.end(old, HAND_BACK)
    await host.take()
    assert not await host.end(old, FAILURE)
    assert await keyed(store, on_conflict=SKIP) == winner


async def test_a_key_of_another_trigger_is_another_key(store: Store) -> None:
    """Keys belong to their trigger; text is compared exactly."""
    for trigger, key in (("a", "k"), ("b", "k"), ("a", "K"), ("a", "k "), ("a", "\uff4b")):
        new = operation(trigger, key)
        assert await store.operations.submit_keyed(new, FAIL) == new.id


async def test_operations_without_a_key_never_conflict(store: Store) -> None:
    """No key is not a key."""
    sent = await submit(store, 3)
    assert sorted((await places(store))["ready"]) == sent


async def test_a_keyed_operation_may_start_later(store: Store, host: Member, clock: TurnedClock) -> None:
    """Key and start time go together: delayed, held, and claimed with its key."""
    new = operation(key="k", due=clock.now() + 5 * SECOND, priority=4, inputs='{"x": 1.0}')
    assert await store.operations.submit_keyed(new, FAIL) == new.id
    assert (await places(store))["delayed"] == [new.id]
    clock.turn(5)
    await store.queue.promote()
    claim = await host.take()
    assert (claim.key, claim.rank, claim.inputs) == ("k", -4, '{"x": 1.0}')


async def test_a_keyed_submit_sent_twice_finds_itself(store: Store) -> None:
    """Whoever repeats a keyed submit after a lost answer is told that it holds the key itself (F06)."""
    new = operation(key="k")
    assert await store.operations.submit_keyed(new, SKIP) == new.id
    assert await store.operations.submit_keyed(new, SKIP) == new.id
    assert await query(store, "select id from opwright.operations") == [(new.id,)]


async def test_a_keyed_submit_sent_again_after_its_end_takes_no_key(store: Store, host: Member) -> None:
    """A repeated submit whose operation has ended meanwhile must not lock the key in the name of the dead (F06)."""
    new = operation(key="k")
    await store.operations.submit_keyed(new, SKIP)
    await host.end(await host.take())
    with suppress(DuplicateRow):  # refusing it is as good as answering with its id
        assert await store.operations.submit_keyed(new, SKIP) == new.id
    assert await host.claim() == []
    assert await query(store, "select operation from opwright.operation_keys") == []
    assert await keyed(store) != new.id


async def test_a_key_whose_holder_ends_meanwhile_is_taken(store: Store, host: Member) -> None:
    """A holder that ended a moment ago does not stand in the way of REPLACE."""
    await keyed(store)
    claim = await host.take()
    answers = await asyncio.gather(host.end(claim), keyed(store, on_conflict=REPLACE), return_exceptions=True)
    assert answers[0] is True
    assert isinstance(answers[1], int | KeyTaken)
    assert await keyed(store, on_conflict=REPLACE) in (await places(store))["ready"]

"""What people read: one view, one status for each place an operation can stand in."""

import pytest

from opwright.clock import SECOND, TurnedClock, moment
from opwright.errors import OperationNotFound
from opwright.model.claim import End
from opwright.model.operation import NewOperation
from opwright.model.status import OutcomeCode, Status
from opwright.store.queue import Marked
from opwright.store.store import Store
from tests.contract.kit import ENDS, FAILURE, HAND_BACK, Member, operation, query, retry, status, submit, wait


async def test_a_ready_operation_is_pending(store: Store, clock: TurnedClock) -> None:
    """Ready: PENDING, first attempt ahead, no times but its submission."""
    new = operation("work", "a key", priority=5, queue="mail", inputs="[1]")
    await store.operations.submit([new])
    seen = await store.operations.get(new.id)
    assert (seen.id, seen.status, seen.trigger, seen.queue, seen.priority) == (
        new.id, Status.PENDING, "work", "mail", 5,
    )  # fmt: skip
    assert (seen.attempt, seen.submitted, seen.inputs) == (1, moment(clock.now()), "[1]")
    assert (seen.due, seen.started, seen.ended, seen.host, seen.worker) == (None,) * 5
    assert (seen.result, seen.error, seen.retry_of, seen.submitter) == (None,) * 4


async def test_submitter_and_origin_are_kept(store: Store) -> None:
    """Who submitted it and what it repeats stay with the operation."""
    (first,) = await submit(store)
    again = NewOperation(first + 1, "work", "default", "{}", 0, submitter="reports", retry_of=first)
    await store.operations.submit([again])
    seen = await store.operations.get(again.id)
    assert (seen.submitter, seen.retry_of) == ("reports", first)


async def test_a_delayed_operation_is_pending_and_tells_when(store: Store, clock: TurnedClock) -> None:
    """Delayed by its start time: PENDING, with the due time."""
    new = operation(wait=60 * SECOND)
    await store.operations.submit([new])
    seen = await store.operations.get(new.id)
    assert (seen.status, seen.due) == (Status.PENDING, moment(clock.now() + 60 * SECOND))


async def test_a_claim_ahead_is_pending(store: Store, host: Member) -> None:
    """Claimed early and not begun: PENDING, though a host holds it."""
    (one,) = await submit(store)
    await host.claim(ahead=True)
    seen = await store.operations.get(one)
    assert (seen.status, seen.host) == (Status.PENDING, host.id)


async def test_a_claim_is_processing(store: Store, host: Member) -> None:
    """Claimed to run now: PROCESSING at its host."""
    (one,) = await submit(store)
    await host.take()
    seen = await store.operations.get(one)
    assert (seen.status, seen.host, seen.attempt) == (Status.PROCESSING, host.id, 1)


@pytest.mark.parametrize("ahead", [True, False])
async def test_a_mark_tells_worker_and_begin(store: Store, host: Member, clock: TurnedClock, *, ahead: bool) -> None:
    """What outlives a renewal shows its worker and since when it runs; a claim ahead has begun by then."""
    (one,) = await submit(store)
    (claim,) = await host.claim(ahead=ahead)
    await store.queue.mark([Marked(one, claim.token, 42, clock.now(), clock.now())])
    seen = await store.operations.get(one)
    assert (seen.status, seen.worker, seen.started) == (Status.PROCESSING, 42, moment(clock.now()))


async def test_a_mark_follows_a_touch(store: Store, host: Member, clock: TurnedClock) -> None:
    """A later sign of life replaces the earlier one."""
    (one,) = await submit(store)
    claim = await host.take()
    for second in (1, 2):
        await store.queue.mark([Marked(one, claim.token, 42, clock.now(), clock.now() + second)])
    assert await query(store, "select updated from opwright.claimed") == [(clock.now() + 2,)]


async def test_marking_nothing_is_allowed(store: Store) -> None:
    """A host without long operations has nothing to say."""
    await store.queue.mark([])


async def test_a_wait_is_wait(store: Store, host: Member, clock: TurnedClock) -> None:
    """Postponed by its own wish: WAIT, until it is due."""
    (one,) = await submit(store)
    claim = await host.take()
    await host.end(claim, wait(claim, 120))
    seen = await store.operations.get(one)
    assert (seen.status, seen.due) == (Status.WAIT, moment(clock.now() + 120 * SECOND))
    clock.turn(120)
    await store.queue.promote()
    assert await status(store, one) is Status.PENDING


async def test_a_retry_is_pending_at_its_next_attempt(store: Store, host: Member) -> None:
    """Between two attempts: PENDING, counting the attempt that comes."""
    (one,) = await submit(store)
    claim = await host.take()
    await host.end(claim, retry(claim))
    seen = await store.operations.get(one)
    assert (seen.status, seen.attempt, seen.host) == (Status.PENDING, 2, None)


@pytest.mark.parametrize("end", ENDS)
async def test_an_end_reads_as_its_outcome(store: Store, host: Member, clock: TurnedClock, end: End) -> None:
    """Ended: the outcome's status, with when and where."""
    (one,) = await submit(store)
    claim = await host.take()
    clock.turn(1)
    await host.end(claim, end)
    seen = await store.operations.get(one)
    assert (seen.status, seen.result, seen.error) == (end.code.status, end.result, end.error)
    assert (seen.ended, seen.host, seen.attempt) == (moment(clock.now()), host.id, 1)


async def test_an_unknown_operation_is_not_found(store: Store) -> None:
    """Asking for what is not there is answered plainly."""
    with pytest.raises(OperationNotFound, match="4711"):
        await store.operations.get(4711)


async def every_state(store: Store, host: Member) -> dict[Status, set[int]]:
    """Operations in every state: PENDING three times, as ready, delayed and waiting for a retry."""
    back, retried, running, waits, *ended = await submit(store, 7)
    claims = {claim.operation: claim for claim in await host.claim()}
    await host.end(claims[back], HAND_BACK)
    await host.end(claims[retried], retry(claims[retried]))
    await host.end(claims[waits], wait(claims[waits]))
    await host.settle(*((claims[each], end) for each, end in zip(ended, ENDS, strict=True)))
    delayed = operation(wait=60 * SECOND)
    await store.operations.submit([delayed])
    living = {
        Status.PENDING: {back, retried, delayed.id},
        Status.PROCESSING: {running},
        Status.WAIT: {waits},
    }
    return living | {end.code.status: {each} for each, end in zip(ended, ENDS, strict=True)}


async def test_counts_and_the_view_agree_in_every_state(store: Store, host: Member) -> None:
    """Each operation is counted once, under the status that the view shows."""
    expected = await every_state(store, host)
    assert await store.operations.counts() == {each: len(members) for each, members in expected.items()}
    seen = await store.operations.latest(100)
    assert {each: {o.id for o in seen if o.status is each} for each in Status} == expected


async def test_counts_of_an_empty_database_are_zero(store: Store) -> None:
    """Every status is counted, also where nothing stands."""
    assert await store.operations.counts() == dict.fromkeys(Status, 0)


async def test_a_claim_ahead_counts_as_pending(store: Store, host: Member) -> None:
    """Counts say what the view says about early claims."""
    await submit(store, 3)
    await host.claim(1, ahead=True)
    await host.claim(1)
    counts = await store.operations.counts()
    assert (counts[Status.PENDING], counts[Status.PROCESSING]) == (2, 1)


async def test_latest_pages_from_the_newest_back(store: Store) -> None:
    """Pages follow each other without gap or overlap, newest first."""
    sent = await submit(store, 5)
    first = await store.operations.latest(2)
    second = await store.operations.latest(10, before=first[-1].id)
    assert [seen.id for seen in first + second] == sent[::-1]


async def test_notes_come_in_order_and_from_a_position(store: Store, host: Member, clock: TurnedClock) -> None:
    """The log of an operation is read on from where one stopped, and holds nothing of the others."""
    await submit(store, 2)
    for text in ("first", "second"):
        for claim in await host.claim():
            await host.end(claim, retry(claim, delay=1, note=f"{text} of {claim.operation}"))
        clock.turn(1)
        await store.queue.promote()
    one = (await host.take()).operation
    first, second = await store.operations.notes(one)
    assert [first.text, second.text] == [f"first of {one}", f"second of {one}"]
    assert [first.attempt, second.attempt] == [1, 2]
    assert await store.operations.notes(one, after=first.id) == [second]


async def test_ready_operations_are_swept_in_windows(store: Store) -> None:
    """A sweep sees every ready operation once, in claim order, a window at a time."""
    new = [operation(queue=queue, priority=priority) for queue in ("b", "a") for priority in (0, 9, -9)]
    await store.operations.submit(new)
    position, seen = ("", -32768, 0), []
    while rows := await store.queue.ready_after(position, 2):
        seen += [(row["queue"], row["rank"], row["operation"]) for row in rows]
        position = seen[-1]
    assert seen == sorted((each.queue, -each.priority, each.id) for each in new)


async def test_what_nobody_can_run_is_failed_without_a_claim(store: Store, host: Member) -> None:
    """An unclaimed operation ends FAILED with the reason, and only if it is still ready."""
    one, two, three = await submit(store, 3)
    held = await host.take()
    rows = [("default", 0, each, f"nobody knows {each}") for each in (one, two, three)]
    assert await store.queue.fail_ready(rows) == {two, three}
    seen = await store.operations.get(two)
    assert (seen.status, seen.error, seen.attempt) == (Status.FAILED, f"nobody knows {two}", 0)
    assert await store.queue.fail_ready(rows) == set()
    assert held.operation == one
    assert await host.end(held, FAILURE)


async def test_failing_unclaimed_needs_the_place_it_was_seen_in(store: Store) -> None:
    """Another queue or rank than the one seen is another row: nothing ends."""
    (one,) = await submit(store)
    assert await store.queue.fail_ready([("other", 0, one, "no"), ("default", 1, one, "no")]) == set()
    assert await status(store, one) is Status.PENDING


async def test_ended_answers_only_for_what_has_ended(store: Store, host: Member) -> None:
    """Whoever waits for many learns which are over, and how."""
    sent = await submit(store, 3)
    await host.end(await host.take(), FAILURE)
    assert await store.operations.ended(sent) == {sent[0]: (OutcomeCode.FAILED, None, "it broke")}
    assert await store.operations.ended([]) == {}

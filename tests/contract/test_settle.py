"""Settling: each verdict lands exactly while its claim stands, and whatever comes late changes nothing."""

from collections.abc import Callable

import pytest

from opwright.clock import SECOND, TurnedClock
from opwright.model.claim import Claim, DelayReason, End, NoteKind, Postpone, Release, Verdict, after_death, hand_back
from opwright.model.operation import OnConflict
from opwright.model.status import OutcomeCode, Status
from opwright.store.postgresql import PostgresEngine
from opwright.store.queue import Marked
from opwright.store.store import Store
from tests.contract.kit import (
    CANCELLATION,
    ENDS,
    FAILURE,
    HAND_BACK,
    SUCCESS,
    Member,
    forged,
    ids,
    operation,
    places,
    promptly,
    query,
    retry,
    stale,
    status,
    submit,
    wait,
)

PAUSE = Postpone(60, DelayReason.RETRY, 1, 0, "it broke")
VERDICTS = [
    pytest.param(SUCCESS, id="finish"),
    pytest.param(PAUSE, id="postpone"),
    pytest.param(Release(0, 1, "its worker died"), id="release"),
]


async def everything(store: Store) -> list[list[tuple[object, ...]]]:
    """All rows that a verdict could change."""
    tables = ("ready", "delayed", "claimed", "outcomes", "operationstatus", "operation_keys", "cancel_requests")
    return [sorted(await query(store, f"select * from opwright.{table}"), key=repr) for table in tables]


async def two_claims(store: Store, host: Member) -> tuple[Claim, Claim]:
    """Two operations, claimed apart."""
    await submit(store, 2)
    return await host.take(), await host.take()


@pytest.mark.parametrize("verdict", VERDICTS)
async def test_a_stale_token_writes_nothing(store: Store, host: Member, verdict: Verdict) -> None:
    """A verdict under a token that does not hold the operation changes no row and is left out of the answer."""
    await submit(store)
    claim = await host.take()
    before = await everything(store)
    assert await host.settle((stale(claim), verdict)) == set()
    assert await everything(store) == before


@pytest.mark.parametrize("verdict", VERDICTS)
async def test_a_stale_verdict_in_a_batch_spares_the_live_ones(store: Store, host: Member, verdict: Verdict) -> None:
    """One late writer in a batch neither lands nor stops its neighbours."""
    await submit(store, 3)
    first, second, third = await host.claim()
    landed = await host.settle((first, verdict), (stale(second), verdict), (third, verdict))
    assert landed == {first.operation, third.operation}
    assert (await places(store))["claimed"] == [second.operation]


@pytest.mark.parametrize("verdict", VERDICTS)
async def test_the_token_of_another_claim_opens_nothing(store: Store, host: Member, verdict: Verdict) -> None:
    """Operation and token must be of one claim; a live token alone is no key, also not in a batch with its own."""
    one, two = await two_claims(store, host)
    assert await host.settle((forged(one, token=two.token), verdict)) == set()
    crossed = [(forged(one, token=two.token), verdict), (forged(two, token=one.token), verdict)]
    assert await host.settle(*crossed) == set()
    assert sorted((await places(store))["claimed"]) == [one.operation, two.operation]


@pytest.mark.parametrize("verdict", VERDICTS)
async def test_a_batch_may_hold_both_a_stale_and_the_live_claim_of_one_operation(
    store: Store, host: Member, verdict: Verdict
) -> None:
    """A host that had handed back and claimed again hears from both attempts at once; only the live one counts."""
    await submit(store)
    old = await host.take()
    await host.end(old, HAND_BACK)
    new = await host.take()
    assert await host.settle((old, verdict), (new, verdict)) == {new.operation}
    assert sum(len(rows) for rows in (await places(store)).values()) == 1


@pytest.mark.parametrize("verdict", VERDICTS)
async def test_a_claim_answers_once(store: Store, host: Member, verdict: Verdict) -> None:
    """The second verdict of the same claim finds nothing, whatever the first one was (F05)."""
    await submit(store)
    claim = await host.take()
    assert await host.end(claim, verdict)
    before = await everything(store)
    for second in (SUCCESS, FAILURE, PAUSE, HAND_BACK):
        assert not await host.end(claim, second)
    assert await everything(store) == before


@pytest.mark.parametrize("verdict", VERDICTS)
async def test_a_late_writer_cannot_touch_the_next_claim(store: Store, host: Member, rival: Member, verdict: Verdict) -> None:
    """Once another host has claimed the operation, the first one's verdict changes nothing (F01, F02)."""
    await submit(store)
    old = await host.take()
    await host.end(old, HAND_BACK)
    new = await rival.take()
    before = await everything(store)
    assert not await host.end(old, verdict)
    assert await everything(store) == before
    assert await rival.end(new)


async def test_a_stale_cancellation_leaves_the_request_of_the_live_claim(store: Store, host: Member, rival: Member) -> None:
    """A late CANCELLED from a former holder must not swallow the request that its successor has yet to read."""
    (one,) = await submit(store)
    old = await host.take()
    await host.end(old, HAND_BACK)
    await rival.take()
    await store.operations.cancel(one, "no longer wanted")
    assert not await host.end(old, CANCELLATION)
    assert await rival.asked() == [one]


@pytest.mark.parametrize("end", ENDS)
async def test_an_ended_operation_stays_ended(store: Store, host: Member, end: End) -> None:
    """An outcome is written once: no verdict, no cancel, no promotion changes it."""
    (one,) = await submit(store)
    claim = await host.take()
    assert await host.end(claim, end)
    before = await store.operations.get(one)
    verdicts: list[Verdict] = [*ENDS, PAUSE, HAND_BACK]
    for late in verdicts:
        assert not await host.end(claim, late)
    assert await store.operations.cancel(one, "too late") == "nothing"
    assert await host.claim() == []
    assert await store.operations.get(one) == before


async def test_an_outcome_keeps_result_error_and_times(store: Store, host: Member, clock: TurnedClock) -> None:
    """Result and error come back as written, with who ended it, when, and at which attempt."""
    await submit(store, 2)
    one, two = await host.claim()
    one.begun = clock.now()
    clock.turn(5)
    result, error = '{"n": 1e5, "text": "Grüße 🦉"}', "Traceback:\n  'quoted' \"twice\" \\ 100 %"
    await host.settle((one, End(OutcomeCode.SUCCEEDED, result=result)), (two, End(OutcomeCode.FAILED, error=error)))
    done = await store.operations.get(one.operation)
    assert (done.status, done.result, done.error, done.host) == (Status.SUCCEEDED, result, None, host.id)
    assert done.started is not None
    assert done.ended is not None
    assert (done.ended - done.started).total_seconds() == 5
    broken = await store.operations.get(two.operation)
    assert (broken.status, broken.result, broken.error) == (Status.FAILED, None, error)
    assert await store.operations.ended([one.operation, two.operation, 1]) == {
        one.operation: (OutcomeCode.SUCCEEDED, result, None),
        two.operation: (OutcomeCode.FAILED, None, error),
    }


async def test_a_retry_comes_back_after_its_pause(store: Store, host: Member, clock: TurnedClock) -> None:
    """A failed attempt returns when its pause is over, with the error counted and told in the log."""
    await submit(store)
    claim = await host.take()
    assert await host.end(claim, retry(claim, delay=30, note="it broke"))
    clock.turn(30 - 1e-6)
    assert await store.queue.promote() == []
    clock.turn(1e-6)
    assert await store.queue.promote() == ["default"]
    again = await host.take()
    assert (again.operation, again.errors, again.deaths, again.attempt) == (claim.operation, 1, 0, 2)
    assert again.token != claim.token
    (note,) = await store.operations.notes(claim.operation)
    assert (note.kind, note.attempt, note.text) == (NoteKind.ERROR, 1, "it broke")
    assert note.at == clock.now() - 30 * SECOND


async def test_a_wait_charges_nothing_and_tells_nothing(store: Store, host: Member, clock: TurnedClock) -> None:
    """Being asked again later is no error: no counter rises, no line is logged."""
    await submit(store)
    claim = await host.take()
    assert await host.end(claim, wait(claim, 1))
    clock.turn(1)
    await store.queue.promote()
    again = await host.take()
    assert (again.errors, again.deaths) == (0, 0)
    assert await store.operations.notes(claim.operation) == []


async def test_a_released_operation_is_claimable_at_once(store: Store, host: Member, rival: Member) -> None:
    """A hand-back needs no promotion, charges nothing and tells nothing."""
    await submit(store)
    claim = await host.take()
    assert await host.end(claim, HAND_BACK)
    again = await rival.take()
    assert (again.operation, again.attempt) == (claim.operation, 1)
    assert await store.operations.notes(claim.operation) == []


async def test_a_death_is_counted_and_told(store: Store, host: Member) -> None:
    """A release after a death raises the count of deaths and leaves a line in the log."""
    await submit(store)
    claim = await host.take()
    assert await host.end(claim, Release(0, 1, "its worker died"))
    again = await host.take()
    assert (again.errors, again.deaths, again.attempt) == (0, 1, 2)
    (note,) = await store.operations.notes(claim.operation)
    assert (note.kind, note.attempt, note.text) == (NoteKind.DEATH, 1, "its worker died")


async def test_counters_survive_every_way_back(store: Store, host: Member, clock: TurnedClock) -> None:
    """Errors and deaths add up over delays, hand-backs and takeovers until the end."""
    ways: list[Callable[[Claim], Verdict]] = [
        lambda claim: retry(claim, delay=1),
        lambda claim: after_death(claim, "its worker died"),
        hand_back,
        lambda claim: wait(claim, 1),
        lambda claim: after_death(claim, "its worker died"),
        lambda claim: wait(claim, 1),
    ]
    await submit(store)
    for way in ways:
        claim = await host.take()
        assert await host.end(claim, way(claim))
        clock.turn(1)
        await store.queue.promote()
    last = await host.take()
    assert (last.errors, last.deaths, last.attempt) == (1, 2, 4)
    await host.end(last)
    assert (await store.operations.get(last.operation)).attempt == 4


@pytest.mark.parametrize("verdict", VERDICTS[1:])
async def test_what_comes_back_keeps_its_place(store: Store, host: Member, clock: TurnedClock, verdict: Verdict) -> None:
    """Queue, priority, trigger and inputs are the same at the next attempt."""
    new = operation("other", queue="mail", priority=-3, inputs='{"x":1}')
    await store.operations.submit([new])
    (claim,) = await host.claim(queue="mail", triggers=["other"])
    await host.end(claim, verdict)
    clock.turn(60)
    await store.queue.promote()
    (again,) = await host.claim(queue="mail", triggers=["other"])
    assert (again.trigger, again.rank, again.inputs) == ("other", 3, '{"x":1}')


@pytest.mark.parametrize("end", ENDS)
async def test_a_key_is_freed_by_the_end(store: Store, host: Member, end: End) -> None:
    """Whatever the outcome, the key is free for the next operation."""
    first, second = operation(key="k"), operation(key="k")
    await store.operations.submit_keyed(first, OnConflict.FAIL)
    await host.end(await host.take(), end)
    assert await store.operations.submit_keyed(second, OnConflict.FAIL) == second.id


async def test_a_batch_may_mix_all_verdicts(store: Store, host: Member) -> None:
    """Ends, pauses and releases of one batch each go their way."""
    await submit(store, 5)
    done, broken, later, back, late = claims = await host.claim()
    landed = await host.settle(
        (back, HAND_BACK), (done, SUCCESS), (later, retry(later)), (broken, FAILURE), (stale(late), SUCCESS)
    )
    assert landed == set(ids(claims)) - {late.operation}
    assert await places(store) == {
        "ready": [back.operation],
        "delayed": [later.operation],
        "claimed": [late.operation],
        "outcomes": [done.operation, broken.operation],
    }


async def test_an_empty_batch_writes_nothing(store: Store, host: Member) -> None:
    """Nothing to say is allowed."""
    assert await host.settle() == set()


async def test_a_thousand_ends_land_in_one_batch(store: Store, host: Member) -> None:
    """A large batch lands whole."""
    await submit(store, 1000)
    claims = await host.claim(1000)
    assert await host.settle(*((claim, SUCCESS) for claim in claims)) == set(ids(claims))
    assert (await store.operations.counts())[Status.SUCCEEDED] == 1000


async def test_the_verdict_on_an_operation_that_was_swept_lands_nowhere(store: Store, host: Member) -> None:
    """A row that vanished under a running attempt is an empty answer, not an error (F08)."""
    (one,) = await submit(store)
    claim = await host.take()
    for table, column in (("claimed", "operation"), ("operations", "id")):
        await query(store, f"delete from opwright.{table} where {column} = {one}")
    assert not await host.end(claim)
    assert (await places(store))["outcomes"] == []


async def test_marked_progress_is_fenced_like_any_write(store: Store, host: Member) -> None:
    """What a late host reports as begun is not written into its successor's claim."""
    (one,) = await submit(store)
    claim = await host.take()
    await store.queue.mark([Marked(one, stale(claim).token, 1, 2, 3)])
    assert (await store.operations.get(one)).worker is None
    await store.queue.mark([Marked(one, claim.token, 42, 2, 3)])
    assert (await store.operations.get(one)).worker == 42
    assert await status(store, one) is Status.PROCESSING


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # on SQLite whoever writes waits
async def test_an_end_in_somebodys_open_transaction_keeps_no_renewal_waiting(store: Store, host: Member) -> None:
    """What runs long is marked with each renewal: an operation that has written its own end and not committed is passed by."""
    open_one, other = await submit(store, 2)
    claims = await host.claim(2)
    assert isinstance(store.engine, PostgresEngine)
    async with store.engine.transaction() as raw:
        await raw.execute(f"delete from opwright.claimed where operation = {open_one}")
        await promptly(store.queue.mark([Marked(claim.operation, claim.token, 42, 2, 3) for claim in claims]))
        assert (await store.operations.get(other)).worker == 42

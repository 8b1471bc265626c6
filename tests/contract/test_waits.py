"""Waits: an answer is never missed, wherever it meets the operation; unanswered waits are counted."""

import asyncio

import pytest

from opwright.clock import TurnedClock
from opwright.model.claim import Claim, DelayReason, NoteKind, Postpone, Verdict, after_wait
from opwright.model.status import Status
from opwright.store import submits
from opwright.store.store import Store
from tests.contract.kit import FAILURE, SUCCESS, Member, places, promptly, status, submit


async def waiting(store: Store, host: Member, seconds: float = 60) -> Claim:
    """An operation that waits."""
    await submit(store)
    claim = await host.take()
    assert await host.end(claim, after_wait(claim, seconds, times=3))
    return claim


async def test_a_waiting_operation_reads_wait_and_is_not_claimed(store: Store, host: Member, clock: TurnedClock) -> None:
    """Until its time is over nobody gets it, and its log says that it waits."""
    claim = await waiting(store, host, 60)
    clock.turn(60 - 1e-6)
    assert await store.queue.promote() == []
    assert await host.claim() == []
    assert await status(store, claim.operation) is Status.WAIT
    (note,) = await store.operations.notes(claim.operation)
    assert (note.kind, note.text) == (NoteKind.WAIT, "waits 60 s at most, for the 1st time of 3")


async def test_an_unanswered_wait_runs_again_and_is_counted(store: Store, host: Member, clock: TurnedClock) -> None:
    """Each time nobody answered counts, and the next attempt is the same attempt: a wait is no error."""
    await waiting(store, host, 60)
    for lapsed in (1, 2, 3):
        clock.turn(60)
        assert await store.queue.promote() == ["default"]
        claim = await host.take()
        assert (claim.lapsed, claim.answers, claim.attempt) == (lapsed, (), 1)
        await host.end(claim, Postpone(60, DelayReason.WAIT, 0, 0))
    clock.turn(60)
    await store.queue.promote()
    claim = await host.take()
    verdict = after_wait(claim, 60, times=3)
    assert await host.end(claim, verdict)
    ended = await store.operations.get(claim.operation)
    assert (ended.status, ended.error) == (Status.FAILED, "it waited 3 times in a row, and nobody resumed it")


async def test_an_answer_makes_what_waits_due_at_once(store: Store, other: Store, host: Member) -> None:
    """Any process may answer; the next attempt gets the answer, and no wait counts as unanswered any more."""
    claim = await waiting(store, host)
    assert await other.operations.resume(claim.operation, '"yes"')
    assert await store.queue.promote() == ["default"]
    again = await host.take()
    assert (again.answers, again.lapsed) == (('"yes"',), 0)


async def test_answers_come_in_the_order_in_which_they_were_given(store: Store, host: Member) -> None:
    """Also those that came while it was not waiting; each is kept as sent."""
    (identifier,) = await submit(store)
    texts = ('{"a": 1e5}', '"\\u0000 🦉"', "null")
    for text in texts:
        assert await store.operations.resume(identifier, text)
    assert (await host.take()).answers == texts


async def test_an_answer_that_comes_while_it_runs_is_not_missed(store: Store, host: Member) -> None:
    """It had not seen the answer when it decided to wait: it is due at once."""
    await submit(store)
    claim = await host.take()
    assert await store.operations.resume(claim.operation, "1")
    assert await host.end(claim, after_wait(claim, 3600, times=3))
    assert await store.queue.promote() == ["default"]
    assert (await host.take()).answers == ("1",)


@pytest.mark.parametrize("when", ["before", "meanwhile", "after"])
async def test_an_answered_wait_never_counts_as_one_that_nobody_answered(store: Store, host: Member, when: str) -> None:
    """Whenever the answer came, the wait that follows is the first in its row."""
    (identifier,) = await submit(store)
    if when == "before":
        await store.operations.resume(identifier, "1")
    claim = await host.take()
    if when == "meanwhile":
        await store.operations.resume(identifier, "1")
    if when != "before":
        await host.end(claim, after_wait(claim, 60, times=1))
        if when == "after":
            await store.operations.resume(identifier, "1")
        assert await store.queue.promote() == ["default"]
        claim = await host.take()
    assert (claim.answers, claim.lapsed) == (("1",), 0)
    assert isinstance(after_wait(claim, 60, times=1), Postpone)


async def test_an_answer_that_it_had_seen_does_not_wake_it(store: Store, host: Member) -> None:
    """Waiting for a second answer is a wait."""
    (identifier,) = await submit(store)
    await store.operations.resume(identifier, "1")
    claim = await host.take()
    assert await host.end(claim, after_wait(claim, 3600, times=3))
    assert await store.queue.promote() == []
    assert await status(store, identifier) is Status.WAIT


async def test_an_answer_and_a_wait_at_the_same_time_meet(store: Store, other: Store, host: Member) -> None:
    """The wait is written while the answer is on its way: whoever comes second sees the first."""
    for number in range(20):
        await submit(store)
        claim = await host.take()
        answering = asyncio.ensure_future(other.operations.resume(claim.operation, str(number)))
        assert await host.end(claim, after_wait(claim, 3600, times=3))
        assert await promptly(answering)
        assert await store.queue.promote() == ["default"]
        again = await host.take()
        assert again.answers == (str(number),)
        await host.end(again)


async def test_an_answer_to_the_last_run_that_is_allowed_is_not_lost(store: Store, host: Member, clock: TurnedClock) -> None:
    """It comes while the run is under way whose wait would be one too many: the operation is asked once more, with the answer."""
    claim = await waiting(store, host)
    for _ in range(2):
        clock.turn(60)
        await store.queue.promote()
        claim = await host.take()
        assert await host.end(claim, after_wait(claim, 60, times=3))
    clock.turn(60)
    await store.queue.promote()
    claim = await host.take()
    assert await store.operations.resume(claim.operation, '"yes"')
    assert await host.end(claim, after_wait(claim, 60, times=3))
    assert await store.queue.promote() == ["default"]
    again = await host.take()
    assert (again.answers, again.lapsed) == (('"yes"',), 0)


async def test_a_cancel_that_was_accepted_hastens_a_wait(store: Store, host: Member) -> None:
    """It had decided to wait for a month before it heard of the cancel: it is due at once, so that it can be cancelled."""
    await submit(store)
    claim = await host.take()
    assert await store.operations.cancel(claim.operation, "enough") == "asked"
    assert await host.end(claim, after_wait(claim, 30 * 86_400, times=3))
    assert await store.queue.promote() == ["default"]
    assert (await host.take()).asked


@pytest.mark.parametrize("verdict", [SUCCESS, FAILURE])
async def test_what_has_ended_takes_no_answer(store: Store, host: Member, verdict: Verdict) -> None:
    """Whoever answers is told that it is too late."""
    await submit(store)
    claim = await host.take()
    await host.end(claim, verdict)
    assert not await store.operations.resume(claim.operation, "1")
    assert not await store.operations.resume(5, "1")


async def test_a_retry_that_is_due_later_is_not_hastened_by_an_answer(store: Store, host: Member) -> None:
    """Only a wait is answered; the pause after an error stays."""
    await submit(store)
    claim = await host.take()
    await host.end(claim, Postpone(60, DelayReason.RETRY, 1, 0, "it broke"))
    assert await store.operations.resume(claim.operation, "1")
    assert await store.queue.promote() == []
    assert (await places(store))["delayed"] == [claim.operation]


def test_the_plan_of_a_resume_asks_for_the_delayed_row_last() -> None:
    """The row of the wait is locked first: a wait on its way is either seen by the second statement, or sees the answer."""
    plan = submits.resume(1, "2")
    assert next(plan).name == "resume"
    assert plan.send([(1,)]).name == "rouse"

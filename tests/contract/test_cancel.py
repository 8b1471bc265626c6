"""Cancelling: at once where nobody holds the operation, by its owner where somebody does."""

import asyncio
from collections.abc import Callable

import pytest

from opwright.clock import SECOND, TurnedClock
from opwright.model.claim import Claim, Verdict
from opwright.model.status import Status
from opwright.store.store import Store
from tests.contract.kit import (
    CANCELLATION,
    HAND_BACK,
    SUCCESS,
    Member,
    ids,
    operation,
    places,
    promptly,
    query,
    retry,
    status,
    submit,
    wait,
)


async def test_a_pending_operation_is_cancelled_at_once(store: Store, host: Member, other: Store) -> None:
    """Ready, not begun: it ends CANCELLED with the reason, and nobody claims it any more."""
    (one,) = await submit(store)
    assert await other.operations.cancel(one, "by the operator") == "cancelled"
    found = await store.operations.get(one)
    assert (found.status, found.error, found.started, found.attempt) == (
        Status.CANCELLED, "by the operator", None, 0,
    )  # fmt: skip
    assert await host.claim() == []


async def test_a_delayed_operation_is_cancelled_at_once(store: Store, host: Member, clock: TurnedClock) -> None:
    """What waits for its time never comes up."""
    new = operation(wait=SECOND)
    await store.operations.submit([new])
    assert await store.operations.cancel(new.id, "no") == "cancelled"
    clock.turn(1)
    assert await store.queue.promote() == []
    assert await host.claim() == []


@pytest.mark.parametrize("pause", [retry, wait])
async def test_between_attempts_it_is_cancelled_at_once(store: Store, host: Member, pause: Callable[[Claim], Verdict]) -> None:
    """While it waits for a retry or its own return nobody holds it."""
    (one,) = await submit(store)
    claim = await host.take()
    await host.end(claim, pause(claim))
    assert await store.operations.cancel(one, "no") == "cancelled"
    assert await status(store, one) is Status.CANCELLED


async def test_only_the_owner_of_a_claim_is_asked(store: Store, host: Member, rival: Member) -> None:
    """A claimed operation is not ended from outside: its owner reads the request, no other host does."""
    mine, theirs = await submit(store, 2)
    claim = await host.take()
    await rival.take()
    assert await store.operations.cancel(mine, "no") == "asked"
    assert await store.queue.asked(host.id) == [(mine, claim.token)]
    assert await rival.asked() == []
    assert await status(store, mine) is Status.PROCESSING
    assert await store.operations.cancel(theirs, "no") == "asked"
    assert await rival.asked() == [theirs]


async def test_asking_twice_is_asking_once(store: Store, host: Member) -> None:
    """A second request changes nothing."""
    (one,) = await submit(store)
    await host.take()
    assert [await store.operations.cancel(one, "no") for _ in range(2)] == ["asked", "asked"]
    assert await host.asked() == [one]


async def test_a_cancelled_end_answers_the_request(store: Store, host: Member) -> None:
    """When the owner has ended it as CANCELLED, nothing of the request is left."""
    (one,) = await submit(store)
    claim = await host.take()
    await store.operations.cancel(one, "no")
    assert await host.end(claim, CANCELLATION)
    assert await status(store, one) is Status.CANCELLED
    assert await host.asked() == []
    assert await query(store, "select * from opwright.cancel_requests") == []


async def test_the_first_outcome_wins(store: Store, host: Member) -> None:
    """An operation that was done before its owner read the request stays done; the request is swept."""
    (one,) = await submit(store)
    claim = await host.take()
    await store.operations.cancel(one, "no")
    assert await host.end(claim, SUCCESS)
    assert await status(store, one) is Status.SUCCEEDED
    assert await host.asked() == []
    await store.queue.forget_requests()
    assert await query(store, "select * from opwright.cancel_requests") == []


async def test_sweeping_requests_spares_the_open_ones(store: Store, host: Member) -> None:
    """Only requests for what has ended are forgotten."""
    (one,) = await submit(store)
    await host.take()
    await store.operations.cancel(one, "no")
    await store.queue.forget_requests()
    assert await host.asked() == [one]


async def test_a_request_outlives_a_hand_back(store: Store, host: Member, rival: Member) -> None:
    """The next owner is asked too, so a request that was accepted is never lost."""
    (one,) = await submit(store)
    claim = await host.take()
    await store.operations.cancel(one, "no")
    await host.end(claim, HAND_BACK)
    await rival.take()
    assert (await host.asked(), await rival.asked()) == ([], [one])


async def test_what_has_ended_or_never_was_cannot_be_cancelled(store: Store, host: Member) -> None:
    """The answer says that there was nothing to do, and nothing is written."""
    (one,) = await submit(store)
    await host.end(await host.take())
    assert await store.operations.cancel(one, "no") == "nothing"
    assert await store.operations.cancel(4711, "no") == "nothing"
    assert await status(store, one) is Status.SUCCEEDED
    assert (await places(store))["outcomes"] == [one]


async def test_cancelling_twice_ends_once(store: Store) -> None:
    """Of two cancels one ends it and the other finds nothing to do."""
    (one,) = await submit(store)
    answers = await asyncio.gather(*(store.operations.cancel(one, f"reason {n}") for n in range(4)))
    assert sorted(answers) == ["cancelled", "nothing", "nothing", "nothing"]


async def test_claim_and_cancel_at_once_leave_one_fate(store: Store, host: Member, other: Store) -> None:
    """Each operation is either claimed, and its owner asked, or cancelled: never both, never neither."""
    sent = await submit(store, 60)
    work = [other.operations.cancel(each, "no") for each in sent]
    claiming = asyncio.gather(*(host.claim(20) for _ in range(3)))
    cancelling = asyncio.gather(*work)
    answers, shares = await promptly(cancelling), await promptly(claiming)
    claimed = {each for share in shares for each in ids(share)}
    fate = dict(zip(sent, answers, strict=True))
    assert {each for each, answer in fate.items() if answer == "asked"} == claimed
    assert {each for each, answer in fate.items() if answer == "cancelled"} == set(sent) - claimed
    assert set(await host.asked()) == claimed

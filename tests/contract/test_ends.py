"""What follows from an end, in its transaction: a hand-back to the submitter. And ends that a trigger writes by itself."""

import asyncio

import msgspec
import pytest

from opwright.clock import TurnedClock
from opwright.errors import AlreadyRetried, InvalidOperation, OperationNotFound, StaleClaim
from opwright.model.claim import Verdict
from opwright.model.operation import NewOperation, OnConflict
from opwright.model.status import OutcomeCode, Status
from opwright.store import submits
from opwright.store.acts import Acts
from opwright.store.store import Store
from tests.contract.kit import (
    CANCELLATION,
    ENDS,
    FAILURE,
    HAND_BACK,
    QUEUE,
    Member,
    join,
    operation,
    places,
    query,
    retry,
    stale,
    status,
    submit,
)

BACK = "orders.hand_back"


def owned(**changes: object) -> NewOperation:
    """An operation that goes back to its submitter."""
    return msgspec.structs.replace(operation(), submitter="orders", **changes)


async def hand_backs(store: Store) -> list[tuple[str, str, int]]:
    """Inputs, queue and parent of every hand-back."""
    rows = await query(store, f"select inputs, queue, parent from opwright.operations where trigger = '{BACK}' order by id")
    return [(str(inputs).replace(" ", ""), queue, parent) for inputs, queue, parent in rows]


@pytest.mark.parametrize("verdict", ENDS)
async def test_every_end_hands_back(store: Store, host: Member, verdict: Verdict) -> None:
    """Written with the outcome: one operation that names the other, in its queue, ready at once."""
    new = owned(queue="photos")
    await store.operations.submit([new])
    (claim,) = await host.claim(queue="photos")
    assert await host.end(claim, verdict)
    assert await hand_backs(store) == [(f'{{"operation":{new.id}}}', "photos", new.id)]
    (back,) = await host.claim(queue="photos", triggers=[BACK])
    assert back.submitter is None
    assert back.options.retries > 0


async def test_what_does_not_end_is_not_handed_back(store: Store, host: Member) -> None:
    """Neither a retry nor a release is an end."""
    await store.operations.submit([owned(), owned()])
    one, two = await host.take(), await host.take()
    await host.settle((one, retry(one)), (two, HAND_BACK))
    assert await hand_backs(store) == []


async def test_a_stale_end_hands_nothing_back(store: Store, host: Member) -> None:
    """Nothing of it lands, so nothing follows from it."""
    await store.operations.submit([owned()])
    claim = await host.take()
    assert not await host.end(stale(claim))
    assert await hand_backs(store) == []


async def test_a_cancel_before_the_begin_hands_back(store: Store) -> None:
    """Wherever it was: ready, due later, limited, or behind others."""
    new = [owned(), owned(wait=10**9), owned(lane="a", capacity=1, held=True), owned(after=(5,), held=True)]
    await store.operations.submit(new)
    for each in new:
        assert await store.operations.cancel(each.id, "no") == "cancelled"
    assert [parent for *_, parent in await hand_backs(store)] == [each.id for each in new]
    assert (await places(store))["delayed"] == []


async def test_what_is_replaced_is_handed_back(store: Store) -> None:
    """Replacing is a cancel."""
    first = owned(key="k")
    await store.operations.submit_keyed(first, OnConflict.FAIL)
    await store.operations.submit_keyed(operation(key="k"), OnConflict.REPLACE)
    assert [parent for *_, parent in await hand_backs(store)] == [first.id]


async def test_what_nobody_knows_is_handed_back(store: Store) -> None:
    """FAILED without having run is an end too."""
    new = owned()
    await store.operations.submit([new])
    assert await store.queue.fail_ready([(QUEUE, 0, new.id, "nobody knows it")]) == {new.id}
    assert [parent for *_, parent in await hand_backs(store)] == [new.id]


async def test_what_a_dead_host_held_is_handed_back_when_it_ends(store: Store, host: Member, clock: TurnedClock) -> None:
    """An orphan knows its submitter."""
    await store.operations.submit([owned()])
    claim = await host.take()
    rescuer = await join(store)
    await rescuer.renew()
    clock.turn(13)
    await rescuer.renew(judge=True)
    (orphan,) = await store.queue.orphans(10)
    assert await rescuer.settle((orphan.claim, CANCELLATION)) == {claim.operation}
    assert [parent for *_, parent in await hand_backs(store)] == [claim.operation]


async def test_a_trigger_may_write_its_own_end(store: Store, host: Member) -> None:
    """With a result; what its worker reports afterwards lands nowhere."""
    new = owned(key="k")
    await store.operations.submit_keyed(new, OnConflict.FAIL)
    claim = await host.take()
    await store.engine.play(submits.end_within(claim.operation, claim.token, 5, '"mine"'))
    found = await store.operations.get(claim.operation)
    assert (found.status, found.result, found.host, found.attempt) == (Status.SUCCEEDED, '"mine"', host.id, 1)
    assert not await host.end(claim, CANCELLATION)
    assert await status(store, claim.operation) is Status.SUCCEEDED
    assert await query(store, "select * from opwright.operation_keys") == []
    assert len(await hand_backs(store)) == 1


async def test_an_end_of_its_own_under_a_stale_claim_writes_nothing(store: Store, host: Member) -> None:
    """It raises, so that the transaction around it, with the trigger's other writes, is rolled back."""
    await submit(store)
    claim = await host.take()
    with pytest.raises(StaleClaim, match="no longer this worker's"):
        await store.engine.play(submits.end_within(claim.operation, stale(claim).token, None, None))
    assert await status(store, claim.operation) is Status.PROCESSING
    assert await host.end(claim)


async def test_an_ended_operation_is_submitted_again_as_it_was(store: Store, host: Member) -> None:
    """A new operation that remembers of which it is the retry; the old one never changes."""
    old = owned(key="k", priority=7, inputs='{"n":1}', queue="photos")
    await store.operations.submit_keyed(old, OnConflict.FAIL)
    (claim,) = await host.claim(queue="photos")
    await host.end(claim, CANCELLATION)
    again = await store.operations.retry(old.id)
    found, before = await store.operations.get(again), await store.operations.get(old.id)
    assert (found.retry_of, found.key, found.priority, found.inputs, found.queue) == (old.id, "k", 7, '{"n":1}', "photos")
    assert (found.submitter, found.status, before.status) == ("orders", Status.PENDING, Status.CANCELLED)
    assert (await store.operations.ended([old.id]))[old.id][0] is OutcomeCode.CANCELLED


async def test_what_has_not_ended_is_not_submitted_again(store: Store) -> None:
    """The error says what to do."""
    (identifier,) = await submit(store)
    with pytest.raises(InvalidOperation, match="has not ended: cancel it first"):
        await store.operations.retry(identifier)
    with pytest.raises(OperationNotFound, match="there is no operation 5"):
        await store.operations.retry(5)


@pytest.mark.fault("F22")
@pytest.mark.parametrize("key", [None, "k"])
async def test_what_is_being_retried_is_not_retried_again(store: Store, host: Member, key: str | None) -> None:
    """The refusal names the retry that has not ended. When it has, the next one may come."""
    old = operation(key=key)
    await (store.operations.submit([old]) if key is None else store.operations.submit_keyed(old, OnConflict.FAIL))
    await host.end(await host.take(), FAILURE)
    first = await store.operations.retry(old.id)
    with pytest.raises(AlreadyRetried, match=f"operation {old.id} is retried already, as operation {first}") as caught:
        await store.operations.retry(old.id)
    assert caught.value.retry == first
    await host.end(await host.take(), FAILURE)
    assert await store.operations.retry(old.id) not in {old.id, first}


@pytest.mark.fault("F22")
async def test_of_many_retries_at_once_one_is_made(store: Store, other: Store, host: Member) -> None:
    """From one process or from several: each of the others is told which one."""
    for _ in range(10):
        (old,) = await submit(store)
        await host.end(await host.take(), FAILURE)
        doors = (store.operations, other.operations, Acts(other.engine, "ann"))
        presses = [door.retry(old) for door in doors for _ in range(3)]
        answers = await asyncio.gather(*presses, return_exceptions=True)
        (made,) = [answer for answer in answers if isinstance(answer, int)]
        assert [answer.retry for answer in answers if isinstance(answer, AlreadyRetried)] == [made] * 8
        assert [claim.operation for claim in await host.claim()] == [made]


async def test_children_know_their_parent(store: Store) -> None:
    """And the parent finds them, in the order of their submits."""
    (parent,) = await submit(store)
    new = [msgspec.structs.replace(operation(), parent=parent) for _ in range(3)]
    await store.operations.submit(new[:1])
    await store.operations.submit(new[1:])
    assert list((await store.operations.children(parent)).items()) == [(each.id, "work") for each in new]
    assert (await store.operations.get(new[0].id)).parent == parent

"""Submitting: what was committed is there, once, as sent, and comes up in its turn."""

from typing import Any

import pytest

from opwright.clock import SECOND, TurnedClock
from opwright.errors import DuplicateRow
from opwright.model.ids import new_id
from opwright.model.operation import NewOperation
from opwright.model.run import Run
from opwright.model.status import Status
from opwright.store.store import Store
from tests.contract.kit import Member, OpenStore, ids, operation, places, query, status, submit

ODD_INPUTS = [
    "{}",
    '{"n":1e5,"m":1.0,"o":-0.0,"p":1E+2,"q":0.1000}',
    '{"big":123456789012345678901234567890,"edge":9223372036854775808}',
    '{ "spaced" :  [ 1 ,\t2 ],\n"last": null }',
    '{"text":"Grüße, 世界, 🦉, \u2028, \u202eright to left"}',
    '{"escaped":"\\u0000 \\ud800 \\/ \\\\ \\" \\n"}',
    '{"nested":"{\\"a\\": \\"b \\\\\\"c\\\\\\"\\"}"}',
    '{"same":1,"same":2}',
    '{"quote":"it\'s; -- :name {now} opwright. $1 %s ?"}',
    "[1,[2,[3,[]]]]",
    '"only text"',
    "true",
]

CHANGES: list[dict[str, Any]] = [
    {}, {"trigger": "other"}, {"queue": "other"}, {"priority": 7}, {"options": '{"retries":9}'}, {"submitter": "Other"},
    {"retry_of": 5}, {"parent": 6}, {"due": 1}, {"wait": 60 * SECOND}, {"lane": "narrow", "capacity": 9, "held": True},
]  # fmt: skip


async def emptied(store: Store) -> dict[str, list[Any]]:
    """What the tables hold that a submit writes; they are empty afterwards."""
    found = {name: await query(store, f"select * from opwright.{name}") for name in ("operations", "ready", "delayed", "limited")}
    for name in found:
        await query(store, f"delete from opwright.{name}")
    return {name: sorted(rows, key=str) for name, rows in found.items()}


async def test_a_submitted_operation_is_visible_to_another_process(store: Store, other: Store) -> None:
    """What one process has committed, every other sees at once."""
    (one,) = await submit(store)
    assert await status(other, one) is Status.PENDING
    assert (await other.queue.peek()).queues == ("default",)


async def test_a_submitted_operation_survives_reopening(store: Store, open_store: OpenStore) -> None:
    """Closing the store loses nothing of what was submitted."""
    (one,) = await submit(store)
    await store.close()
    assert await status(await open_store(), one) is Status.PENDING


async def test_fifty_thousand_operations_land_in_one_call(store: Store) -> None:
    """A large batch is one statement, and all of it is there."""
    sent = await submit(store, 50_000)
    assert await query(store, "select count(*) from opwright.operations") == [(50_000,)]
    assert sorted((await places(store))["ready"]) == sent


async def test_an_empty_batch_changes_nothing(store: Store) -> None:
    """Submitting nothing is allowed."""
    await store.operations.submit([])
    assert sum((await store.operations.counts()).values()) == 0


async def test_a_batch_is_all_or_nothing(store: Store) -> None:
    """One operation that cannot be written takes its whole batch with it."""
    (one,) = await submit(store)
    with pytest.raises(DuplicateRow):
        await store.operations.submit([operation(), operation(identifier=one), operation()])
    assert await query(store, "select id from opwright.operations") == [(one,)]


async def test_the_same_submit_sent_twice_is_stored_once(store: Store, host: Member) -> None:
    """Whoever repeats a submit after a lost answer learns that it had landed, and doubles nothing (F06)."""
    new = operation()
    await store.operations.submit([new])
    with pytest.raises(DuplicateRow):
        await store.operations.submit([new])
    assert ids(await host.claim()) == [new.id]


async def test_higher_priority_is_claimed_first_then_older(store: Store, host: Member) -> None:
    """The order of claims: priority, then age; also where that is not the order of submitting."""
    low, old, new, high = (operation(priority=priority) for priority in (-100, 0, 0, 100))
    await store.operations.submit([new, low, high, old])
    assert [(await host.take()).operation for _ in range(4)] == [high.id, old.id, new.id, low.id]


async def test_one_claim_lists_the_most_urgent_first(store: Store, host: Member) -> None:
    """A batch is handed out in the order in which it should run."""
    new = [operation(priority=priority) for priority in (0, 5, -5, 5, 0)]
    await store.operations.submit(new)
    expected = sorted(new, key=lambda each: (-each.priority, each.id))
    assert ids(await host.claim()) == [each.id for each in expected]


async def test_a_wait_makes_it_ready_only_when_it_is_over(store: Store, host: Member, clock: TurnedClock) -> None:
    """An operation submitted with a wait is not promoted one microsecond too early."""
    new = operation(wait=60 * SECOND)
    await store.operations.submit([new])
    clock.turn(60 - 1e-6)
    assert await store.queue.promote() == []
    assert await host.claim() == []
    clock.turn(1e-6)
    assert await store.queue.promote() == ["default"]
    assert ids(await host.claim()) == [new.id]


async def test_a_due_time_makes_it_ready_only_then(store: Store, host: Member, clock: TurnedClock) -> None:
    """An operation submitted for an instant is promoted at that instant."""
    new = operation(due=clock.now() + SECOND)
    await store.operations.submit([new])
    assert (await store.queue.peek()).due == new.due
    assert await store.queue.promote() == []
    clock.turn(1)
    assert await store.queue.promote() == ["default"]
    assert ids(await host.claim()) == [new.id]


@pytest.mark.parametrize("late", [0, 1, 3600 * SECOND])
async def test_a_due_time_in_the_past_is_ready_at_once(store: Store, host: Member, clock: TurnedClock, late: int) -> None:
    """What is already due waits for no promotion."""
    new = operation(due=clock.now() - late)
    await store.operations.submit([new])
    assert ids(await host.claim()) == [new.id]


async def test_a_batch_may_mix_ready_and_delayed(store: Store) -> None:
    """Each operation of a batch goes where its own time sends it."""
    now, later, past = operation(), operation(wait=SECOND), operation(due=1)
    await store.operations.submit([later, now, past])
    found = await places(store)
    assert (set(found["ready"]), found["delayed"]) == ({now.id, past.id}, [later.id])


async def test_promotion_takes_the_longest_due_first_and_at_most_its_limit(store: Store, clock: TurnedClock) -> None:
    """A flood of due operations is promoted in bounded bites, the oldest due time first."""
    waits = [3, 1, 2]
    await store.operations.submit([operation(queue=f"q{wait}", wait=wait) for wait in waits])
    clock.turn(1)
    assert sorted(await store.queue.promote(2)) == ["q1", "q2"]
    assert await store.queue.promote(2) == ["q3"]


async def test_a_promoted_operation_keeps_its_priority(store: Store, host: Member, clock: TurnedClock) -> None:
    """Having waited changes nothing about how urgent it is."""
    urgent = operation(priority=7, wait=1)
    await store.operations.submit([operation(), urgent])
    clock.turn(1)
    await store.queue.promote()
    assert (await host.take()).operation == urgent.id


@pytest.mark.parametrize("inputs", ODD_INPUTS)
async def test_inputs_come_back_byte_for_byte(store: Store, host: Member, inputs: str) -> None:
    """JSON text is stored as sent: no number is rewritten, no space lost, no key dropped (F41)."""
    new = operation(inputs=inputs)
    await store.operations.submit([new])
    assert (await host.take()).inputs == inputs
    assert (await store.operations.get(new.id)).inputs == inputs


@pytest.mark.parametrize("broken", [False, True], ids=["lines", "with a line break"])
async def test_inputs_of_a_run_come_back_byte_for_byte(store: Store, host: Member, *, broken: bool) -> None:
    """The same where they travel together, because the operations differ in nothing else; also those that are deep."""
    inputs = [*(one for one in ODD_INPUTS if broken or "\n" not in one), "[" * 3000 + "]" * 3000]
    run = Run(operation(inputs=inputs[0]), inputs)
    await store.operations.submit(run)
    assert [claim.inputs for claim in await host.claim()] == inputs
    assert [(await store.operations.get(one)).inputs for one in run.ids] == inputs


@pytest.mark.parametrize("of_all", [True, False])
@pytest.mark.parametrize("change", CHANGES)
async def test_sent_together_or_one_by_one_the_rows_are_the_same(store: Store, change: dict[str, Any], *, of_all: bool) -> None:
    """Operations that share all but their inputs are written by a statement of their own; nothing is lost or mixed up."""
    first = new_id()

    def run() -> list[NewOperation]:
        new = [operation(identifier=first + place, inputs=f'{{"n":{place}}}') for place in range(4)]
        for one in new if of_all else new[1:2]:
            for name, value in change.items():
                setattr(one, name, value)
        return new

    drafts = run()
    alike = of_all and drafts[0].at_once
    await store.operations.submit(Run(drafts[0], [one.inputs for one in drafts]) if alike else drafts)
    together = await emptied(store)
    for one in run():
        await store.operations.submit([one])
    assert await emptied(store) == together


async def test_inputs_of_a_megabyte_come_back_whole(store: Store, host: Member) -> None:
    """Large inputs are not cut."""
    inputs = f'"{"é" * 500_000}"'
    await store.operations.submit([operation(inputs=inputs)])
    assert (await host.take()).inputs == inputs


@pytest.mark.fault("F42")
async def test_ids_beyond_32_bits_are_kept_in_full(store: Store, host: Member) -> None:
    """The largest ids pass through every statement of a life (F42)."""
    largest = 2**63 - 2
    await store.operations.submit([operation(identifier=largest)])
    claim = await host.take()
    assert claim.operation == largest
    assert await host.end(claim)
    assert set(await store.operations.ended([largest])) == {largest}

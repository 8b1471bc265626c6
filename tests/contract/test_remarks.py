"""Remarks: what a running operation says of itself stands in its log, while it is the one that runs."""

from opwright.clock import TurnedClock
from opwright.model.claim import Claim, NoteKind
from opwright.model.worker import Remark
from opwright.store import submits
from opwright.store.store import Store
from tests.contract.kit import FAILURE, Member, forged, retry, stale, submit


def said(claim: Claim, text: str, fraction: float | None = None, at: int = 7) -> Remark:
    """A line of the log, or progress."""
    kind = NoteKind.LOG if fraction is None else NoteKind.PROGRESS
    return Remark(claim.operation, claim.token, claim.attempt, kind, text, fraction, at)


async def test_lines_stand_in_the_log_in_their_order(store: Store, host: Member) -> None:
    """With the time at which they were said."""
    await submit(store)
    claim = await host.take()
    await store.queue.note([said(claim, f"line {number} 🦉 'x'", at=number) for number in range(30)])
    notes = await store.operations.notes(claim.operation)
    assert [(note.at, note.text, note.kind, note.attempt) for note in notes] == [
        (number, f"line {number} 🦉 'x'", NoteKind.LOG, 1) for number in range(30)
    ]


async def test_of_progress_only_the_newest_is_kept(store: Store, host: Member, clock: TurnedClock) -> None:
    """One row for each attempt, with a position behind what was read before."""
    await submit(store)
    claim = await host.take()
    await store.queue.note([said(claim, "a", 0.25), said(claim, "log")])
    (first, _) = await store.operations.notes(claim.operation)
    await store.queue.note([said(claim, "b", 0.5)])
    log, newest = await store.operations.notes(claim.operation)
    assert (log.text, newest.text, newest.fraction) == ("log", "b", 0.5)
    assert newest.id > first.id
    await host.end(claim, retry(claim, 0))
    clock.turn(1)
    await store.queue.promote()
    again = await host.take()
    await store.queue.note([said(again, "c", 0.125)])
    kept = [note for note in await store.operations.notes(claim.operation) if note.kind == NoteKind.PROGRESS]
    assert [(note.attempt, note.fraction) for note in kept] == [(1, 0.5), (2, 0.125)]


async def test_a_stale_worker_says_nothing(store: Store, host: Member) -> None:
    """Under a token that was taken away its lines are dropped; its neighbours in the batch are heard."""
    await submit(store, 2)
    one, two = await host.take(), await host.take()
    await host.end(one, FAILURE)
    await store.queue.note([said(one, "late"), said(stale(two), "who?"), said(two, "here", 1.0)])
    assert await store.operations.notes(one.operation) == []
    assert [note.text for note in await store.operations.notes(two.operation)] == ["here"]


async def test_what_was_said_before_an_end_of_its_own_is_kept(store: Store, host: Member) -> None:
    """Its trigger has committed the end before the host wrote what it had said; another attempt's lines are none of it."""
    await submit(store)
    claim = await host.take()
    await store.engine.play(submits.end_within(claim.operation, claim.token, None, None))
    await store.queue.note([said(claim, "charged"), said(forged(claim, deaths=1), "who?")])
    assert [note.text for note in await store.operations.notes(claim.operation)] == ["charged"]


async def test_of_the_progress_in_one_batch_only_the_newest_is_kept(store: Store, host: Member) -> None:
    """However fast it comes: a batch keeps one line of it."""
    await submit(store)
    claim = await host.take()
    await store.queue.note([said(claim, str(number), number / 10) for number in range(5)])
    assert [note.fraction for note in await store.operations.notes(claim.operation)] == [0.4]

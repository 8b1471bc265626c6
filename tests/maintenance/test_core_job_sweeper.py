"""The native rule: what has succeeded or was cancelled is kept for a day, what failed for two weeks, counted from the end."""

import logging

import msgspec
import pytest

from opwright.clock import SECOND, TurnedClock
from opwright.errors import OperationNotFound
from opwright.maintenance import core_job_sweeper
from opwright.maintenance.core_job_sweeper import Retention
from opwright.model.claim import NoteKind, Verdict
from opwright.model.ids import id_at
from opwright.model.operation import OnConflict
from opwright.model.status import OutcomeCode, Status
from opwright.model.submitter import hand_back_of
from opwright.store.acts import Acts
from opwright.store.store import Store
from opwright.store.sweeps import SPARED, Aged
from tests.contract.kit import CANCELLATION, FAILURE, SUCCESS, Member, operation, query, retry, status, submit
from tests.maintenance.kit import DAY, HOUR, SEED, ended, heartbeat, left, recorded, sweeper

KEPT: list[tuple[Verdict, float]] = [(SUCCESS, DAY), (CANCELLATION, DAY), (FAILURE, 14 * DAY)]


@pytest.mark.parametrize(("verdict", "kept"), KEPT, ids=["succeeded", "cancelled", "failed"])
async def test_a_record_is_deleted_when_its_time_is_over(
    store: Store, host: Member, clock: TurnedClock, verdict: Verdict, kept: float
) -> None:
    """Not an hour earlier; and then it is as if it had never been."""
    (identifier,) = await ended(store, host, verdict)
    clock.turn(kept - HOUR)
    assert not await sweeper(store, clock).run_once()
    assert await recorded(store) == [identifier]
    clock.turn(HOUR + 1)
    assert (await sweeper(store, clock).run_once()).total() == 1
    with pytest.raises(OperationNotFound):
        await store.operations.get(identifier)


@pytest.mark.parametrize("verdict", [verdict for verdict, _ in KEPT], ids=["succeeded", "cancelled", "failed"])
async def test_what_has_just_ended_is_kept_whatever_is_set(
    store: Store, host: Member, clock: TurnedClock, verdict: Verdict
) -> None:
    """Its submit may not know yet that it was stored; when that has given up, the record goes."""
    (identifier,) = await ended(store, host, verdict)
    clock.turn(SPARED - 1)
    assert not await sweeper(store, clock, Retention(0, 0, 0)).run_once()
    assert await recorded(store) == [identifier]
    clock.turn(2)
    assert (await sweeper(store, clock, Retention(0, 0, 0)).run_once()).total() == 1


async def test_an_age_beyond_all_times_keeps_everything(store: Store, host: Member, clock: TurnedClock) -> None:
    """No engine has a moment so long ago."""
    identifiers = [*await ended(store, host), *await ended(store, host, CANCELLATION), *await ended(store, host, FAILURE)]
    clock.turn(DAY)
    assert not await sweeper(store, clock, Retention(*3 * [1e13 * HOUR])).run_once()
    assert not await heartbeat(store, clock, age=1e13 * HOUR).run_once()
    assert await recorded(store) == identifiers


async def test_a_failure_of_thirteen_days_is_still_there(store: Store, host: Member, clock: TurnedClock) -> None:
    """While the successes of the same day are long gone."""
    (failed,) = await ended(store, host, FAILURE)
    await ended(store, host)
    clock.turn(13 * DAY)
    assert await sweeper(store, clock).run_once() == {OutcomeCode.SUCCEEDED: 1}
    assert await recorded(store) == [failed]


async def test_the_time_is_counted_from_the_end(store: Store, host: Member, clock: TurnedClock) -> None:
    """One that ran for two days is kept for a day after that, though it was submitted three days ago."""
    (identifier,) = await submit(store)
    claim = await host.take()
    clock.turn(2 * DAY)
    await ended(store, host)  # younger, and the first to be looked at
    clock.turn(1)
    assert await host.end(claim)
    for _ in range(2):
        await sweeper(store, clock).run_once()
    clock.turn(DAY - 1)
    await sweeper(store, clock).run_once()
    assert identifier in await recorded(store)
    clock.turn(2)
    await sweeper(store, clock).run_once()
    assert identifier not in await recorded(store)


async def test_what_has_not_ended_is_never_deleted(store: Store, host: Member, clock: TurnedClock) -> None:
    """Ready, running, delayed, waiting for another attempt: however old."""
    ready, delayed = operation(), operation(wait=round(100 * DAY * SECOND))
    identifiers = await submit(store, 2)
    claims = await host.claim()
    await host.end(claims[1], retry(claims[1], delay=100 * DAY))
    await store.operations.submit([ready, delayed])
    clock.turn(50 * DAY)
    assert not await sweeper(store, clock, Retention(0, 0, 0)).run_once()
    assert await recorded(store) == sorted([*identifiers, ready.id, delayed.id])
    assert await status(store, identifiers[0]) is Status.PROCESSING


async def test_everything_that_belongs_to_it_goes_with_it(store: Store, host: Member, clock: TurnedClock) -> None:
    """Its log, its waits, whom it followed, requests and keys: no table keeps a row of it."""
    first, *_ = await ended(store, host)
    new = msgspec.structs.replace(operation(key="k"), after=(first,))
    await store.operations.submit_keyed(new, OnConflict.FAIL)
    await store.queue.follow([])
    claim = await host.take()
    assert await store.operations.resume(new.id, '"go"')
    assert await store.operations.cancel(new.id, "no") == "asked"
    await host.end(claim)
    again = await Acts(store.engine, "ann").retry(new.id)
    await query(store, f"insert into opwright.operation_keys values ('work', 'leaked', {new.id})")
    clock.turn(DAY + 1)
    assert (await sweeper(store, clock).run_once()).total() == 2
    assert await recorded(store) == [again]
    assert await left(store) == {}
    assert await store.operations.notes(new.id) == []


async def test_a_failed_operation_takes_its_log_with_it(store: Store, host: Member, clock: TurnedClock) -> None:
    """The attempts that failed before, and what an operator did."""
    (identifier,) = await submit(store)
    claim = await host.take()
    await host.end(claim, retry(claim, delay=0))
    await store.queue.promote()
    await host.end(await host.take(), FAILURE)
    await Acts(store.engine, "ann").retry(identifier)
    assert len(await store.operations.notes(identifier)) == 2
    clock.turn(14 * DAY + 1)
    assert await sweeper(store, clock).run_once() == {OutcomeCode.FAILED: 1}
    assert await store.operations.notes(identifier) == []
    assert await left(store) == {}


async def test_a_key_is_free_when_the_record_is_gone(store: Store, host: Member, clock: TurnedClock) -> None:
    """And the new operation has nothing to do with the old one."""
    old = operation(key="k")
    await store.operations.submit_keyed(old, OnConflict.FAIL)
    await host.end(await host.take())
    clock.turn(DAY + 1)
    await sweeper(store, clock).run_once()
    new = operation(key="k")
    assert await store.operations.submit_keyed(new, OnConflict.FAIL) == new.id


@pytest.mark.parametrize("verdict", [SUCCESS, FAILURE, CANCELLATION])
async def test_a_status_may_be_kept_for_ever(store: Store, host: Member, clock: TurnedClock, verdict: Verdict) -> None:
    """The others are deleted all the same."""
    (kept,) = await ended(store, host, verdict)
    for other in (SUCCESS, FAILURE, CANCELLATION):
        if other is not verdict:
            await ended(store, host, other)
    clock.turn(1000 * DAY)
    retention = SEED._replace(**{OutcomeCode(verdict.code).status.lower(): None})  # type: ignore[union-attr]
    await sweeper(store, clock, retention).run_once()
    assert await recorded(store) == [kept]


# ------------------------------------------------------------------------------------------- what is still needed


async def test_what_is_followed_is_kept_until_its_follower_has_ended(store: Store, host: Member, clock: TurnedClock) -> None:
    """Its success must still be there when the follower is looked at, and its result when the follower asks for it."""
    (first,) = await ended(store, host)
    (second,) = await submit(store)
    claim = await host.take()
    late = msgspec.structs.replace(operation(), after=(first, second))
    await store.operations.submit([late])
    clock.turn(10 * DAY)
    assert not await sweeper(store, clock).run_once()
    await host.end(claim)
    assert await store.queue.follow([second]) == ["default"]
    clock.turn(2 * DAY)
    assert not await sweeper(store, clock).run_once()
    assert await store.operations.predecessors(late.id) == {first: "work", second: "work"}
    assert await host.end(await host.take())
    assert await status(store, late.id) is Status.SUCCEEDED
    for _ in range(2):
        await sweeper(store, clock).run_once()
    assert await recorded(store) == [late.id]


async def test_a_follower_of_what_was_swept_long_ago_is_cancelled(store: Store, host: Member, clock: TurnedClock) -> None:
    """Nobody can tell any more whether it succeeded. Nothing hangs."""
    old = operation(identifier=id_at(clock.now() - 5 * 3600 * SECOND))
    await store.operations.submit([old])
    await host.end(await host.take())
    clock.turn(DAY + 1)
    await sweeper(store, clock).run_once()
    late = msgspec.structs.replace(operation(), after=(old.id,))
    await store.operations.submit([late])
    await store.queue.follow([])
    assert await status(store, late.id) is Status.CANCELLED


@pytest.mark.parametrize("verdict", [SUCCESS, FAILURE])
async def test_what_is_to_be_handed_back_is_kept_for_its_submitter(
    store: Store, host: Member, clock: TurnedClock, verdict: Verdict
) -> None:
    """Until the hand-back has succeeded; one that failed may be retried as long as it is recorded."""
    (first,) = await ended(store, host)
    await query(store, f"update opwright.operations set submitter = 'orders' where id = {first}")
    back = hand_back_of(first, "orders", "default", 0)
    await store.operations.submit([back])
    clock.turn(DAY + 1)
    assert not await sweeper(store, clock).run_once()
    (claim,) = await host.claim(triggers=["orders.hand_back"])
    await host.end(claim, verdict)
    await sweeper(store, clock).run_once()
    assert await recorded(store) == ([back.id] if verdict is SUCCESS else [first, back.id])
    clock.turn(15 * DAY)
    for _ in range(2):
        await sweeper(store, clock).run_once()
    assert await recorded(store) == []


async def test_relatives_of_what_was_swept_are_shown_without_it(store: Store, host: Member, clock: TurnedClock) -> None:
    """A retry and a child remember an id of which there is no record."""
    (first,) = await ended(store, host)
    again = await store.operations.retry(first)
    child = msgspec.structs.replace(operation(), parent=first)
    await store.operations.submit([child])
    clock.turn(DAY + 1)
    await sweeper(store, clock).run_once()
    assert (await store.operations.get(again)).retry_of == first
    assert (await store.operations.get(child.id)).parent == first
    assert await store.operations.children(first) == {child.id: "work"}
    with pytest.raises(OperationNotFound):
        await store.operations.retry(first)
    assert await store.operations.cancel(first, "no") == "nothing"
    assert not await store.operations.resume(first, "1")


# --------------------------------------------------------------------------------------------------- how it looks


async def test_a_backlog_is_deleted_in_one_run(
    store: Store, host: Member, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In many windows and batches."""
    monkeypatch.setattr(core_job_sweeper, "LOOK", 7)
    monkeypatch.setattr("opwright.maintenance.sweep.BATCH", 3)
    for verdict in (SUCCESS, FAILURE, CANCELLATION):
        await ended(store, host, verdict, 40)
    clock.turn(20 * DAY)
    assert (await sweeper(store, clock).run_once()).total() == 120
    assert await recorded(store) == []


async def test_what_was_passed_by_is_looked_at_again(
    store: Store, host: Member, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A window of it at each run, all round, also by another host: nothing is passed by for ever."""
    monkeypatch.setattr(core_job_sweeper, "LOOK", 5)
    await ended(store, host, FAILURE, 30)
    (late,) = await submit(store)
    claim = await host.take()
    clock.turn(DAY + 1)
    await store.sweeps.claim("CoreJobSweeper", 60)
    await sweeper(store, clock).run_once()
    await host.end(claim)
    clock.turn(DAY + 1)
    for _ in range(8):
        await sweeper(store, clock).run_once()
    assert late not in await recorded(store)
    assert len(await recorded(store)) == 30


async def test_what_is_due_and_still_needed_is_not_gone_through_at_each_turn(
    store: Store, host: Member, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty that an unended one follows: a window of them at each turn, as of all that is passed by; and at last they go."""
    monkeypatch.setattr(core_job_sweeper, "LOOK", 5)
    followed = await ended(store, host, count=30)
    late = msgspec.structs.replace(operation(), after=tuple(followed))
    await store.operations.submit([late])
    clock.turn(DAY + 1)
    await store.sweeps.claim("CoreJobSweeper", 60)
    await sweeper(store, clock).run_once()
    with monkeypatch.context() as patch:
        windows: list[int] = []
        look = store.sweeps.successes

        async def counted(after: int, before: int, cutoff: int, limit: int) -> Aged:
            windows.append(after)
            return await look(after, before, cutoff, limit)

        patch.setattr(store.sweeps, "successes", counted)
        for turn in range(1, 4):
            assert not await sweeper(store, clock).run_once()
            assert len(windows) == 2 * turn  # one at the front, where nothing is new, and one behind it
    await store.operations.cancel(late.id, "no")
    for _ in range(8):
        await sweeper(store, clock).run_once()
    assert await recorded(store) == [late.id]


async def test_the_details_can_be_read_at_debug(
    store: Store, host: Member, clock: TurnedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """One line for each, which tells what it was."""
    (identifier,) = await ended(store, host, FAILURE)
    clock.turn(15 * DAY)
    with caplog.at_level(logging.DEBUG, "opwright"):
        await sweeper(store, clock).run_once()
    (line,) = [one.getMessage() for one in caplog.records if "deleted operation" in one.getMessage()]
    assert line.startswith(f"CoreJobSweeper: deleted operation {identifier}: work FAILED, submitted 20")
    assert line.endswith("+00:00: it broke")
    assert await store.operations.notes(identifier) == []


async def test_a_line_in_the_log_of_what_is_gone_is_not_kept(store: Store, host: Member, clock: TurnedClock) -> None:
    """It would belong to nobody, and never be deleted."""
    (identifier,) = await ended(store, host)
    clock.turn(DAY + 1)
    await sweeper(store, clock).run_once()
    await store.engine.run("remember", operation=identifier, kind=int(NoteKind.OPERATOR), text="too late")
    assert await left(store) == {}

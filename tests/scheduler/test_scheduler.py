"""The scheduler, step by step: what it claims and when, and which verdict follows from which report."""

import asyncio
from typing import Any

import msgspec
import pytest

from opwright.clock import TurnedClock
from opwright.errors import StoreUnavailable
from opwright.model.claim import Claim, NoteKind
from opwright.model.ids import new_id
from opwright.model.options import Backoff, Options
from opwright.model.status import Status
from opwright.model.worker import Outcome
from opwright.scheduler.doubts import DOUBT
from opwright.scheduler.rhythm import Rhythm
from opwright.scheduler.scheduler import HAND_BACK
from opwright.store.queue import Queue
from opwright.store.store import Store
from opwright.telemetry import recorded
from tests.contract.kit import TRIGGER, operation, places, query, status, submit
from tests.scheduler.kit import AHEAD, SEED, Bench, bench, eventually


async def one(store: Store, options: Options | None = None) -> int:
    """Submit one operation."""
    new = operation(options=options)
    await store.operations.submit([new])
    return new.id


async def charged(store: Store, identifier: int) -> tuple[int, int]:
    """The errors and deaths that an unclaimed operation has been charged."""
    sql = " union all ".join(
        f"select errors, deaths from opwright.{table} where operation = {identifier}" for table in ("ready", "delayed")
    )
    ((errors, deaths),) = await query(store, sql)
    return errors, deaths


# ---------------------------------------------------------------------------------------------- how much, when


async def test_without_look_ahead_it_claims_as_many_as_there_are_free_workers(store: Store, clock: TurnedClock) -> None:
    """DAM-82: exactly the seed. Not one operation is held that no worker has, at any step."""
    host = await bench(store, clock, slots=3)
    await submit(store, 20)
    await host.look()
    assert len(host.placed) == len((await places(store))["claimed"]) == 3
    for number in range(3, 20):
        await host.end(host.pool.placed[number - 3], seconds=0.0)  # as fast as can be: a reason to look ahead
        await host.steps()
        assert len((await places(store))["claimed"]) == len(host.pool.held) == 3
        assert host.scheduler.holdings.waiting == 0
    assert all(got <= limit <= 3 and not ahead for _, limit, got, ahead in host.queue.claims)
    assert len(host.placed) == 20


@pytest.mark.parametrize("heartbeat", [0.5, 2.0, 30.0])
async def test_an_idle_scheduler_looks_once_per_heartbeat(store: Store, clock: TurnedClock, heartbeat: float) -> None:
    """DAM-20, DAM-21: the heartbeat is a setting, and it alone decides how often an idle host asks."""
    host = await bench(store, clock, rhythm=Rhythm(heartbeat=heartbeat, look_ahead=False))
    await host.steps()
    before, passed = host.queue.peeks, 0.0
    while passed < heartbeat * 5:
        pause = await host.step()
        assert 0 < pause <= heartbeat
        clock.turn(pause)
        passed += pause
        await host.lease.run_once()
    assert 4 <= host.queue.peeks - before <= 5
    assert host.queue.claims == []


async def test_a_wake_up_without_news_costs_no_statement(store: Store, clock: TurnedClock) -> None:
    """Between two heartbeats a step that nobody called for reads nothing and returns the rest of the pause."""
    host = await bench(store, clock)
    assert await host.steps() == pytest.approx(2.0)
    clock.turn(0.5)
    before = host.queue.peeks
    assert await host.step() == pytest.approx(1.5)
    assert host.queue.peeks == before


async def test_an_operation_that_nobody_announced_is_claimed_at_the_next_heartbeat(store: Store, clock: TurnedClock) -> None:
    """Polling stays underneath every wake-up."""
    host = await bench(store, clock)
    pause = await host.steps()
    (identifier,) = await submit(store)
    await host.steps()
    assert host.placed == []
    clock.turn(pause)
    await host.steps()
    assert host.placed == [identifier]


async def test_news_are_looked_at_at_once(store: Store, clock: TurnedClock) -> None:
    """A watcher or the host's own submit does not wait for the heartbeat."""
    host = await bench(store, clock)
    await host.steps()
    (identifier,) = await submit(store)
    await host.look()
    assert host.placed == [identifier]


async def test_a_worker_that_becomes_free_is_filled_at_once(store: Store, clock: TurnedClock) -> None:
    """While there is more, nobody waits for a heartbeat."""
    host = await bench(store, clock)
    first, second = await submit(store, 2)
    await host.look()
    assert host.placed == [first]
    await host.end(host.pool.placed[0])
    await host.steps()
    assert host.placed == [first, second]


async def test_room_without_an_update_is_filled_too(store: Store, clock: TurnedClock) -> None:
    """A worker that has just become ready gets what is there."""
    host = await bench(store, clock, slots=0)
    (identifier,) = await submit(store)
    await host.look()
    assert host.placed == []
    host.pool.slots = 1
    host.scheduler.room()
    clock.turn(2.0)
    await host.steps()
    assert host.placed == [identifier]


async def test_only_known_triggers_are_claimed(store: Store, clock: TurnedClock) -> None:
    """What this host cannot run is left for another, however urgent, and housekeeping is told of it."""
    host = await bench(store, clock, slots=5)
    strange, known = operation("strange", priority=100), operation()
    await store.operations.submit([strange, known])
    await host.look()
    assert host.placed == [known.id]
    assert (await places(store))["ready"] == [strange.id]
    assert host.scheduler.leftover


async def test_only_served_queues_are_claimed(store: Store, clock: TurnedClock) -> None:
    """A host with a list of queues leaves the others alone, also when something delayed becomes due there."""
    host = await bench(store, clock, slots=9, rhythm=Rhythm(look_ahead=False, queues=("a", "b")))
    new = [operation(queue=queue, wait=wait) for queue in ("a", "b", "c") for wait in (None, 1_000_000)]
    await store.operations.submit(new)
    await host.look()
    clock.turn(2)
    await host.look()
    served = sorted(each.id for each in new if each.queue != "c")
    assert sorted(host.placed) == served
    assert len((await places(store))["ready"]) == 2


async def test_the_most_urgent_goes_first(store: Store, clock: TurnedClock) -> None:
    """Within a queue: by priority, then by age."""
    host = await bench(store, clock)
    new = [operation(priority=priority) for priority in (0, -5, 10, 10)]
    await store.operations.submit(new)
    for number in range(4):
        await host.look()
        await host.end(host.pool.placed[number])
    assert host.placed == [new[2].id, new[3].id, new[0].id, new[1].id]


async def test_all_queues_get_their_turn(store: Store, clock: TurnedClock) -> None:
    """One worker, three full queues: none waits until another one is empty."""
    host = await bench(store, clock)
    new = [operation(queue=queue) for queue in ("a", "b", "c") for _ in range(5)]
    await store.operations.submit(new)
    where = {each.id: each.queue for each in new}
    await host.look()
    for number in range(14):
        await host.end(host.pool.placed[number])
        await host.steps()
    order = [where[identifier] for identifier in host.placed]
    assert all(set(order[start : start + 3]) == {"a", "b", "c"} for start in range(0, 15, 3)), order


async def test_a_queue_that_appears_while_all_workers_are_busy_gets_its_turn(store: Store, clock: TurnedClock) -> None:
    """The look at the heartbeat finds no free worker; the new queue must be remembered for when there is one."""
    host = await bench(store, clock)
    await store.operations.submit([operation(queue="old") for _ in range(20)])
    await host.look()
    newcomer = operation(queue="new")
    await store.operations.submit([newcomer])
    for number in range(10):
        await host.look()  # the watcher, or a heartbeat, while the worker is busy
        await host.end(host.pool.placed[number])
        await host.steps()
    assert newcomer.id in host.placed


async def test_what_is_due_is_claimed_when_it_is_due(store: Store, clock: TurnedClock) -> None:
    """The pause ends at the due time, not at the heartbeat after it, and not before."""
    host = await bench(store, clock, rhythm=Rhythm(heartbeat=60.0, look_ahead=False))
    later = operation(wait=1_500_000)
    await store.operations.submit([later])
    pause = await host.look()
    assert pause == pytest.approx(1.5, abs=0.01)
    clock.turn(pause - 0.1)
    await host.steps()
    assert host.placed == []
    clock.turn(0.2)
    await host.steps()
    assert host.placed == [later.id]


# ------------------------------------------------------------------------------------------ trust and stopping


async def test_nothing_is_claimed_while_the_lease_is_not_trusted(store: Store, clock: TurnedClock) -> None:
    """A host that could not renew may have been taken over: it asks for nothing until a renewal has gone through."""
    host = await bench(store, clock)
    (identifier,) = await submit(store)
    clock.turn(11)
    await host.look()
    assert host.queue.claims == []
    assert (await places(store))["ready"] == [identifier]
    await host.lease.run_once()
    await host.look()
    assert host.placed == [identifier]


async def test_nothing_is_begun_while_the_lease_is_not_trusted(store: Store, clock: TurnedClock) -> None:
    """What waits in memory may be another host's by now: a worker that becomes free does not get it."""
    host = await ahead_bench(store, clock)
    assert host.scheduler.holdings.waiting > 0
    before = len(host.placed)
    clock.turn(11)
    host.scheduler.updates([host.pool.end(host.pool.placed[-1])])
    await host.step()
    assert len(host.placed) == before


async def test_nothing_is_claimed_after_stop_claiming(store: Store, clock: TurnedClock) -> None:
    """The host is stopping: what is ready is for others."""
    host = await bench(store, clock)
    await submit(store, 2)
    host.scheduler.stop_claiming()
    await host.look()
    clock.turn(2)
    await host.steps()
    assert host.queue.claims == []


async def test_what_waits_is_handed_back_uncharged_when_claiming_stops(store: Store, clock: TurnedClock) -> None:
    """Claimed ahead but not begun: ready again for another host, as if nothing had been."""
    host = await ahead_bench(store, clock)
    waiting = host.scheduler.holdings.waiting
    assert waiting > 0
    host.scheduler.stop_claiming()
    await host.settler.run_once()
    assert len((await places(store))["ready"]) >= waiting
    assert await query(store, "select distinct errors, deaths from opwright.ready") == [(0, 0)]
    assert host.scheduler.holdings.waiting == 0


async def test_forgetting_drops_everything(store: Store, clock: TurnedClock) -> None:
    """Taken over: no claim is kept, no verdict is written, and late reports mean nothing."""
    host = await bench(store, clock, slots=2)
    await submit(store, 2)
    await host.look()
    host.scheduler.updates([host.pool.end(host.pool.placed[0])])
    host.scheduler.forget()
    host.scheduler.updates([host.pool.end(host.pool.placed[1])])
    await host.settler.run_once()
    assert len(host.scheduler.holdings) == host.settler.backlog == 0
    assert len((await places(store))["claimed"]) == 2


# ------------------------------------------------------------------------------------------------- looking ahead


async def ahead_bench(store: Store, clock: TurnedClock) -> Bench:
    """A scheduler with a fast trigger, a full queue, and more claimed than its one worker takes."""
    host = await bench(store, clock, rhythm=AHEAD)
    await submit(store, 300)
    await host.look()
    for number in range(4):
        await host.end(host.pool.placed[number], seconds=0.0001)
        await host.step()
    return host


async def test_fast_triggers_are_claimed_ahead(store: Store, clock: TurnedClock) -> None:
    """``auto``: more than the free workers, for a trigger that was measured to be fast; people read those as PENDING."""
    host = await ahead_bench(store, clock)
    assert host.scheduler.holdings.waiting > 0
    line = host.scheduler.holdings.first_line()
    assert line is not None
    waiting = line[0]
    assert any(ahead for _, _, _, ahead in host.queue.claims)
    assert await status(store, waiting.operation) is Status.PENDING


async def test_the_next_claim_comes_when_half_of_the_look_ahead_is_used_up(store: Store, clock: TurnedClock) -> None:
    """Not at each end: then it takes the places of all that have ended since."""
    host = await ahead_bench(store, clock)
    scheduler, claims, ended = host.scheduler, len(host.queue.claims), 4
    size = scheduler._look_ahead.size
    left = [scheduler.holdings.waiting]
    while len(host.queue.claims) == claims:
        await host.end(host.pool.placed[ended], seconds=0.0001)
        ended += 1
        left.append(scheduler.holdings.waiting)
        await host.step()
    assert left[0] > size // 2 + 2
    assert left[-1] == size // 2
    assert host.queue.claims[-1][1] >= len(left) - 1


async def test_others_are_told_of_what_was_placed_and_not_of_what_lies_here(store: Store, clock: TurnedClock) -> None:
    """A notification costs as much as a small claim, and a host that drains a long queue makes hundreds of steps."""
    host = await ahead_bench(store, clock)
    assert host.scheduler.holdings.waiting > 0
    assert host.told == 0
    await store.operations.submit([operation(wait=500_000)])
    await host.look()
    clock.turn(0.6)
    await host.steps()
    assert host.told == 1


async def test_slow_triggers_are_never_claimed_ahead(store: Store, clock: TurnedClock) -> None:
    """A trigger that takes a tenth of a second keeps its queue for whoever is free."""
    host = await bench(store, clock, rhythm=AHEAD)
    await submit(store, 300)
    await host.look()
    for number in range(5):
        await host.end(host.pool.placed[number], seconds=0.1)
        await host.steps()
    assert host.scheduler.holdings.waiting == 0
    assert len((await places(store))["claimed"]) == 1


async def test_nothing_slow_is_claimed_for_a_worker_that_is_being_replaced(store: Store, clock: TurnedClock) -> None:
    """It would lie here as PROCESSING while another host may have a worker for it."""
    host = await bench(store, clock, rhythm=AHEAD)
    await submit(store, 3)
    await host.look()
    host.pool.slots = 0
    await host.end(host.pool.placed[0], seconds=0.1)
    await host.look()
    assert (await places(store))["claimed"] == []
    host.pool.slots = 1
    await host.look()
    assert len(host.pool.placed) == 2


async def test_what_lies_too_long_is_handed_back(store: Store, clock: TurnedClock) -> None:
    """After a second another host may have it, uncharged."""
    host = await ahead_bench(store, clock)
    held = len(host.scheduler.holdings)
    waiting = host.scheduler.holdings.waiting
    clock.turn(HAND_BACK + 0.1)
    await host.step()
    await host.settler.run_once()
    assert host.scheduler.holdings.waiting == 0
    assert len((await places(store))["claimed"]) == held - waiting


async def test_the_pause_ends_in_time_for_the_hand_back(store: Store, clock: TurnedClock) -> None:
    """A scheduler with a long heartbeat does not sleep through it."""
    host = await bench(store, clock, rhythm=Rhythm(heartbeat=3600.0))
    await submit(store, 300)
    await host.look()
    for number in range(4):
        await host.end(host.pool.placed[number], seconds=0.0001)
        await host.step()
    assert host.scheduler.holdings.waiting > 0
    assert await host.steps() <= HAND_BACK


# ------------------------------------------------------------------------------------------------------ verdicts


async def test_done_is_succeeded_with_its_result(store: Store, clock: TurnedClock) -> None:
    """The result is stored as the worker wrote it; the claim is gone."""
    host = await bench(store, clock)
    identifier = await one(store)
    await host.look()
    await host.end(host.pool.placed[0], result='{"a": 1}')
    found = await store.operations.get(identifier)
    assert (found.status, found.result, found.attempt) == (Status.SUCCEEDED, '{"a": 1}', 1)
    assert (await places(store))["claimed"] == []


async def test_an_error_without_a_budget_is_failed(store: Store, clock: TurnedClock) -> None:
    """No retries by default: the trigger may already have sent the mail."""
    host = await bench(store, clock)
    identifier = await one(store)
    await host.look()
    await host.end(host.pool.placed[0], Outcome.FAILED, error="ValueError: no")
    found = await store.operations.get(identifier)
    assert (found.status, found.error) == (Status.FAILED, "ValueError: no")


async def test_an_error_with_a_budget_comes_back_after_its_backoff(store: Store, clock: TurnedClock) -> None:
    """Charged one error, noted in its log, due after the pause; FAILED when the budget is spent."""
    host = await bench(store, clock)
    identifier = await one(store, Options(retries=1, backoff=Backoff(first=7, jitter=0)))
    await host.look()
    await host.end(host.pool.placed[0], Outcome.FAILED, error="first")
    assert await charged(store, identifier) == (1, 0)
    (note,) = await store.operations.notes(identifier)
    assert (note.kind, note.text, note.attempt) == (NoteKind.ERROR, "first", 1)
    clock.turn(6.9)
    await host.lease.run_once()
    await host.look()
    assert host.placed == [identifier]
    clock.turn(0.2)
    await host.look()
    assert host.placed == [identifier, identifier]
    assert host.pool.placed[1].attempt == 2
    await host.end(host.pool.placed[1], Outcome.FAILED, error="second")
    found = await store.operations.get(identifier)
    assert (found.status, found.error, found.attempt) == (Status.FAILED, "second", 2)


async def test_a_retry_comes_when_its_backoff_ends_not_at_the_heartbeat_after_it(store: Store, clock: TurnedClock) -> None:
    """The host wrote the due time itself, so it need not look for it: its pause ends then."""
    host = await bench(store, clock, rhythm=Rhythm(heartbeat=3600.0, look_ahead=False))
    identifier = await one(store, Options(retries=1, backoff=Backoff(first=5, jitter=0)))
    await host.look()
    await host.end(host.pool.placed[0], Outcome.FAILED, error="first")
    assert await host.steps() <= 5.1
    clock.turn(5.1)
    await host.steps()
    assert host.placed == [identifier, identifier]


@pytest.mark.parametrize("outcome", [Outcome.INVALID, Outcome.UNKNOWN])
async def test_what_trying_again_cannot_help_is_failed_at_once(store: Store, clock: TurnedClock, outcome: Outcome) -> None:
    """Inputs that no longer fit, or a trigger the worker does not know: no retry is spent on it."""
    host = await bench(store, clock)
    identifier = await one(store, Options(retries=9))
    await host.look()
    await host.end(host.pool.placed[0], outcome, error="hopeless")
    found = await store.operations.get(identifier)
    assert (found.status, found.error) == (Status.FAILED, "hopeless")


async def test_a_death_is_a_recovery_and_no_retry(store: Store, clock: TurnedClock) -> None:
    """Ready again at once, charged a death, with a line in its log; FAILED when it has died once too often."""
    host = await bench(store, clock)
    identifier = await one(store, Options(recoveries=1, retries=5))
    await host.look()
    await host.end(host.pool.placed[0], Outcome.DIED, error="killed by signal 9")
    assert await charged(store, identifier) == (0, 1)
    (note,) = await store.operations.notes(identifier)
    assert (note.kind, note.text) == (NoteKind.DEATH, "killed by signal 9")
    await host.look()
    await host.end(host.pool.placed[1], Outcome.DIED, error="killed again")
    found = await store.operations.get(identifier)
    assert found.status is Status.FAILED
    assert "its worker died 2 times" in (found.error or "")
    assert "killed again" in (found.error or "")


async def test_what_a_worker_gives_back_is_put_back_in_its_place(store: Store, clock: TurnedClock) -> None:
    """Recalled before it began: the same claim, the same attempt, given away again, before what came after it."""
    host = await ahead_bench(store, clock)
    waiting = [task for task in host.pool.placed[4:] if task.operation in host.pool.held]
    assert len(waiting) > 2
    running, *queued = waiting
    host.pool.slots = -10  # nothing is taken for now
    host.scheduler.updates([host.pool.end(task, Outcome.RETURNED) for task in queued])
    host.pool.slots = 1
    placed = len(host.pool.placed)
    await host.end(running, seconds=0.0001)
    again = host.pool.placed[placed : placed + len(queued)]
    assert [task.operation for task in again] == [task.operation for task in queued]
    assert [(task.token, task.attempt) for task in again] == [(task.token, 1) for task in queued]


async def test_what_a_worker_gives_back_while_stopping_is_handed_back_uncharged(store: Store, clock: TurnedClock) -> None:
    """It never began, so nothing was spent."""
    host = await bench(store, clock)
    identifier = await one(store)
    await host.look()
    host.scheduler.stop_claiming()
    await host.end(host.pool.placed[0], Outcome.RETURNED)
    assert await charged(store, identifier) == (0, 0)
    assert await store.operations.notes(identifier) == []


@pytest.mark.parametrize("outcome", [Outcome.CANCELLED, Outcome.DIED, Outcome.FAILED])
async def test_what_ends_by_our_own_hurry_is_handed_back_uncharged(store: Store, clock: TurnedClock, outcome: Outcome) -> None:
    """The stop ran out of patience and interrupted it: no fault of the operation."""
    host = await bench(store, clock)
    identifier = await one(store)
    await host.look()
    host.scheduler.stop_claiming()
    host.scheduler.handing_back = True
    await host.end(host.pool.placed[0], outcome, error="interrupted")
    assert await charged(store, identifier) == (0, 0)


async def test_what_finished_in_spite_of_the_hurry_counts(store: Store, clock: TurnedClock) -> None:
    """A result is a result."""
    host = await bench(store, clock)
    identifier = await one(store)
    await host.look()
    host.scheduler.stop_claiming()
    host.scheduler.handing_back = True
    await host.end(host.pool.placed[0])
    assert await status(store, identifier) is Status.SUCCEEDED


async def test_an_update_with_a_stale_token_is_ignored(store: Store, clock: TurnedClock) -> None:
    """A worker that answers for an older claim changes nothing; the right answer still counts."""
    host = await bench(store, clock)
    identifier = await one(store)
    await host.look()
    (task,) = host.pool.placed
    late = msgspec.structs.replace(task, token=task.token - 1)
    with recorded() as events:
        host.scheduler.updates([host.pool.end(late, Outcome.FAILED, error="late")])
    await host.settler.run_once()
    assert ("update.stale", {"operation": identifier}) in events
    assert await status(store, identifier) is Status.PROCESSING
    await host.end(task)
    assert await status(store, identifier) is Status.SUCCEEDED


async def test_a_second_answer_for_the_same_claim_is_ignored(store: Store, clock: TurnedClock) -> None:
    """The first one decides."""
    host = await bench(store, clock)
    identifier = await one(store)
    await host.look()
    (task,) = host.pool.placed
    await host.end(task)
    await host.end(task, Outcome.FAILED, error="again")
    assert await status(store, identifier) is Status.SUCCEEDED


# ------------------------------------------------------------------------------------------- cancel and timeout


async def test_a_cancel_reaches_the_worker_and_ends_cancelled(store: Store, clock: TurnedClock) -> None:
    """The pool is asked once, with the patience of the settings; whatever error follows, it was the cancel."""
    host = await bench(store, clock, rhythm=Rhythm(look_ahead=False, kill_after=7.0))
    identifier = await one(store, Options(retries=5))
    await host.look()
    (task,) = host.pool.placed
    await host.cancel(identifier)
    await host.cancel(identifier)
    assert host.pool.cancelled == [(identifier, task.token, 7.0)]
    await host.end(task, Outcome.FAILED, error="CancelledError")
    found = await store.operations.get(identifier)
    assert (found.status, found.error) == (Status.CANCELLED, "cancelled by request")


@pytest.mark.parametrize("outcome", [Outcome.CANCELLED, Outcome.DIED, Outcome.RETURNED])
async def test_however_a_cancelled_one_ends_it_is_cancelled(store: Store, clock: TurnedClock, outcome: Outcome) -> None:
    """Stopped politely, killed, or not even begun: no retry, no recovery."""
    host = await bench(store, clock)
    identifier = await one(store, Options(retries=5))
    await host.look()
    await host.cancel(identifier)
    await host.end(host.pool.placed[0], outcome)
    assert await status(store, identifier) is Status.CANCELLED


async def test_a_result_that_was_faster_than_the_cancel_counts(store: Store, clock: TurnedClock) -> None:
    """The first outcome wins."""
    host = await bench(store, clock)
    identifier = await one(store)
    await host.look()
    await host.cancel(identifier)
    assert len(host.pool.cancelled) == 1
    await host.end(host.pool.placed[0])
    assert await status(store, identifier) is Status.SUCCEEDED


async def test_what_waits_is_cancelled_without_having_run(store: Store, clock: TurnedClock) -> None:
    """Claimed ahead and cancelled: no worker ever hears of it."""
    host = await ahead_bench(store, clock)
    line = host.scheduler.holdings.first_line()
    assert line is not None
    waiting = line[0]
    await host.cancel(waiting.operation)
    await host.settler.run_once()
    assert await status(store, waiting.operation) is Status.CANCELLED
    assert waiting.operation not in host.placed


async def test_a_cancel_of_another_hosts_claim_is_left_to_it(store: Store, clock: TurnedClock) -> None:
    """Requests are for the owner."""
    host, other = await bench(store, clock), await bench(store, clock)
    identifier = await one(store)
    await host.look()
    await one(store)
    await other.look()
    await other.cancel(identifier)
    assert other.pool.cancelled == []
    await host.look_for_cancels()
    assert [operation for operation, _, _ in host.pool.cancelled] == [identifier]


async def test_a_timeout_counts_from_the_begin(store: Store, clock: TurnedClock) -> None:
    """Given to a worker but begun later: its time runs from there; then the pool is asked to end it."""
    host = await bench(store, clock)
    identifier = await one(store, Options(timeout=0.02))
    await host.look()
    (task,) = host.pool.placed
    begun = host.pool.begun.pop(identifier)  # it waits in the worker
    asked = asyncio.get_running_loop().time() + 0.2
    await eventually(lambda: asyncio.get_running_loop().time() > asked, "ten times its timeout")
    assert host.pool.cancelled == []
    host.pool.begun[identifier] = begun
    clock.turn(0.03)
    await eventually(lambda: host.pool.cancelled != [], "the pool is asked")
    assert [each[:2] for each in host.pool.cancelled] == [(identifier, task.token)]
    await host.end(task, Outcome.CANCELLED)
    found = await store.operations.get(identifier)
    assert found.status is Status.FAILED
    assert "OperationTimeout" in (found.error or "")
    assert "0.02 s" in (found.error or "")


@pytest.mark.parametrize("outcome", [Outcome.CANCELLED, Outcome.DIED, Outcome.FAILED])
async def test_a_timeout_is_an_error_and_may_be_retried(store: Store, clock: TurnedClock, outcome: Outcome) -> None:
    """It spends the budget of errors, not that of deaths, however the worker ended it."""
    host = await bench(store, clock)
    identifier = await one(store, Options(timeout=0.01, retries=1))
    await host.look()
    clock.turn(0.02)
    await eventually(lambda: host.pool.cancelled != [], "the pool is asked")
    await host.end(host.pool.placed[0], outcome, error="killed")
    assert await charged(store, identifier) == (1, 0)
    (note,) = await store.operations.notes(identifier)
    assert "OperationTimeout" in note.text


async def test_the_timeout_of_an_ended_attempt_disturbs_no_later_one(store: Store, clock: TurnedClock) -> None:
    """The next claim of the same operation has a timeout of its own."""
    host = await bench(store, clock)
    identifier = await one(store, Options(timeout=0.05, recoveries=5))
    await host.look()
    await host.end(host.pool.placed[0], Outcome.DIED, error="died")
    await host.look()
    assert host.placed == [identifier, identifier]
    assert await status(store, identifier) is Status.PROCESSING
    passed = asyncio.get_running_loop().time() + 0.15
    await eventually(lambda: asyncio.get_running_loop().time() > passed, "three times its timeout")
    assert host.pool.cancelled == []  # by the clock that counts, no time has passed


# ------------------------------------------------------------------------------------------------------ doubts


async def test_a_claim_whose_answer_was_lost_is_found_again(store: Store, clock: TurnedClock) -> None:
    """It was committed, but nobody here knows of it: it goes back uncharged, and is claimed as if nothing had been."""
    host = await bench(store, clock)
    identifier = await one(store)
    host.queue.lose = StoreUnavailable("the connection broke")
    with pytest.raises(StoreUnavailable):
        await host.look()
    assert (await places(store))["claimed"] == [identifier]
    assert host.placed == []
    with recorded() as events:
        await host.look()
    assert ("claim.reconciled", {"operations": [identifier]}) in events
    assert host.placed == [identifier]
    assert host.pool.placed[0].attempt == 1
    await host.end(host.pool.placed[0])
    assert await status(store, identifier) is Status.SUCCEEDED


async def test_a_doubt_takes_nothing_from_what_is_really_held(store: Store, clock: TurnedClock) -> None:
    """Running operations and verdicts on their way stay where they are."""
    host = await bench(store, clock, slots=3)
    running, ended, lost = await one(store), await one(store), -1
    await host.look()
    host.scheduler.updates([host.pool.end(host.pool.placed[1])])  # its verdict is not yet written
    lost = await one(store)
    host.queue.lose = StoreUnavailable("the connection broke")
    with pytest.raises(StoreUnavailable):
        await host.look()
    await host.look()
    await host.settler.run_once()
    assert host.placed == [running, ended, lost]
    assert await status(store, ended) is Status.SUCCEEDED
    assert await status(store, running) is Status.PROCESSING


async def test_a_claim_that_is_committed_late_is_found_too(store: Store, clock: TurnedClock) -> None:
    """The server was still at it when the connection had broken, and when we looked: it is looked for again, and not for ever."""
    host = await bench(store, clock)
    first = await one(store)
    host.queue.lose = StoreUnavailable("the connection broke")
    with pytest.raises(StoreUnavailable):
        await host.look()
    await host.look()
    second = await one(store)
    await Queue(store.engine).claim(host=host.lease.host, token=new_id(), queue="default", triggers=[TRIGGER], limit=1)
    clock.turn(SEED.heartbeat)
    with recorded() as events:
        await host.look()
    assert ("claim.reconciled", {"operations": [second]}) in events
    await host.end(host.pool.placed[0])
    await host.look()
    assert host.placed == [first, second]
    for _ in range(2):
        clock.turn(DOUBT)
        await host.lease.run_once()
        await host.look()
    looks = host.queue.looks
    clock.turn(SEED.heartbeat)
    await host.look()
    assert host.queue.looks == looks


async def test_what_a_claim_brings_after_its_host_was_taken_over_is_dropped(
    store: Store, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim was on its way when all claims were dropped: what it has taken goes to others, in the name of the old host."""
    host = await bench(store, clock)
    await one(store)
    claim = host.queue.claim

    async def overtaken(**asked: Any) -> list[Claim]:
        claims = await claim(**asked)
        host.scheduler.forget()
        return claims

    monkeypatch.setattr(host.queue, "claim", overtaken)
    await host.look()
    assert host.placed == []
    assert len(host.scheduler.holdings) == 0


@pytest.mark.fault("F68")
async def test_a_row_that_cannot_be_read_stops_nobody(store: Store, clock: TurnedClock) -> None:
    """Options that no program can read (a newer one wrote them, a hand edited them): the others are still carried out."""
    host = await bench(store, clock, slots=10)
    bad, *good = await submit(store, 5)
    broken = """'{"backoff":{"first":null}}'"""
    await query(store, f"update opwright.operations set options = {broken} where id = {bad}")
    for _ in range(5):
        try:
            await host.look()
        except Exception:  # noqa: BLE001 - the service would log it and try again
            clock.turn(0.5)
    assert set(host.placed) >= set(good)


async def test_the_seeds_rhythm_is_the_default_heartbeat() -> None:
    """Two seconds, as the seed has it."""
    assert Rhythm().heartbeat == SEED.heartbeat == 2.0
    assert TRIGGER == "work"

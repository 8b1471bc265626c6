"""What is past its time: operations, workers, and workers that are too large."""

import os

from opwright.clock import TurnedClock
from opwright.model.claim import NoteKind
from opwright.model.options import Backoff, Options
from opwright.model.status import Status
from opwright.model.worker import TOUCH, Outcome, Remark, Worker, WorkerState
from opwright.scheduler.expiry import PERIOD, WEIGHING, Expiry, Limits
from opwright.store.store import Store
from opwright.telemetry import recorded
from tests.contract.kit import operation, query, status
from tests.scheduler.kit import Bench, bench

HOUR = 3600.0
AT_ONCE = Backoff(first=0, jitter=0)


class Keeping:
    """A bench whose pool is looked at every few seconds."""

    def __init__(self, host: Bench, clock: TurnedClock, limits: Limits) -> None:
        self.host = host
        self.clock = clock
        self.expiry = Expiry(host.scheduler, lambda: host.pool, clock, limits)

    async def passes(self, seconds: float) -> None:
        """So much time, with a look every period."""
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            self.clock.turn(await self.expiry.run_once())
        await self.expiry.run_once()

    def asked(self) -> list[int]:
        """Who was asked to end."""
        return [one for one, _, _ in self.host.pool.cancelled]


async def keeping(store: Store, clock: TurnedClock, limits: Limits | None = None, **options: object) -> Keeping:
    """With one operation that runs."""
    host = await bench(store, clock, slots=2)
    await store.operations.submit([operation(options=Options(**options))])  # type: ignore[arg-type]
    await host.look()
    return Keeping(host, clock, limits or Limits())


def worker(state: WorkerState, *operations: int, name: str = "worker-1", touched: int = 0, pid: int = 0) -> Worker:
    return Worker(name, pid or os.getpid(), state, touched, operations)


# ---------------------------------------------------------------------------------------------------- operations


async def test_an_operation_without_a_sign_of_life_is_asked_to_end(store: Store, clock: TurnedClock) -> None:
    """After the maximum processing time and not before; once; and it is killed like one that has timed out."""
    kept = await keeping(store, clock)
    (task,) = kept.host.pool.placed
    await kept.passes(HOUR - PERIOD)
    assert kept.asked() == []
    await kept.passes(4 * PERIOD)
    assert kept.host.pool.cancelled == [(task.operation, task.token, 5.0)]


async def test_without_retries_it_ends_failed_and_says_which_limit(store: Store, clock: TurnedClock) -> None:
    """Which limit, its value, and what to do."""
    kept = await keeping(store, clock, Limits(60))
    (task,) = kept.host.pool.placed
    await kept.passes(70)
    await kept.host.end(task, Outcome.DIED, error="worker 7 was killed by signal 9")
    found = await store.operations.get(task.operation)
    assert found.status is Status.FAILED
    for part in ("OperationExpired: ", "maximum_processing", "operation.touch()", "timeout"):
        assert part in (found.error or "")


async def test_with_retries_it_is_tried_again_and_charged_a_retry(store: Store, clock: TurnedClock) -> None:
    """Not a recovery, although its worker was killed: it is its own time that was up."""
    kept = await keeping(store, clock, Limits(60), retries=1, recoveries=0, backoff=AT_ONCE)
    (task,) = kept.host.pool.placed
    await kept.passes(70)
    await kept.host.end(task, Outcome.DIED, error="killed")
    assert await status(store, task.operation) is Status.PENDING
    assert await query(store, "select errors, deaths from opwright.delayed") == [(1, 0)]
    (note,) = await store.operations.notes(task.operation)
    assert note.kind == NoteKind.ERROR
    assert "OperationExpired" in note.text


async def test_every_remark_is_a_sign_of_life(store: Store, clock: TurnedClock) -> None:
    """A line of log, progress, a touch: a healthy operation runs for as long as it likes."""
    kept = await keeping(store, clock)
    (task,) = kept.host.pool.placed
    for number in range(30):
        kind = (NoteKind.LOG, NoteKind.PROGRESS, TOUCH)[number % 3]
        kept.host.scheduler.remarks([Remark(task.operation, task.token, 1, kind, "here", None, clock.now())])
        await kept.passes(0.8 * HOUR)
    assert kept.asked() == []
    await kept.passes(HOUR)
    assert kept.asked() == [task.operation]


async def test_a_touch_leaves_no_line(store: Store, clock: TurnedClock) -> None:
    """It is a sign of life and nothing else; what stands beside it is written."""
    kept = await keeping(store, clock)
    (task,) = kept.host.pool.placed
    kinds = (TOUCH, NoteKind.LOG, TOUCH)
    kept.host.scheduler.remarks([Remark(task.operation, task.token, 1, kind, "said", None, clock.now()) for kind in kinds])
    await kept.host.settler.run_once()
    assert [note.kind for note in await store.operations.notes(task.operation)] == [NoteKind.LOG]


async def test_a_longer_timeout_of_its_own_holds(store: Store, clock: TurnedClock) -> None:
    """It has said itself how long it may take; a timeout that is shorter leaves the maximum as it is."""
    kept = await keeping(store, clock, timeout=3 * HOUR)
    await store.operations.submit([operation(options=Options(timeout=9 * HOUR))])
    await kept.host.look()
    kept.host.pool.shown = (worker(WorkerState.ACTIVE, kept.host.placed[0]),)
    await kept.passes(2.9 * HOUR)
    assert kept.asked() == []
    assert kept.host.pool.killed == []


async def test_an_operation_without_a_timeout_has_the_maximum(store: Store, clock: TurnedClock) -> None:
    """``timeout=None`` is no leave to hang for ever."""
    kept = await keeping(store, clock, timeout=None)
    await kept.passes(HOUR + 2 * PERIOD)
    assert kept.asked() == kept.host.placed


async def test_what_does_not_run_is_never_expired(store: Store, clock: TurnedClock) -> None:
    """PENDING and delayed ones, ended ones, and those that a worker has not begun, however old they are."""
    kept = await keeping(store, clock)
    (task,) = kept.host.pool.placed
    waiting = [operation(), operation(wait=10**13)]
    await store.operations.submit(waiting)
    await kept.host.end(task)
    await kept.passes(3 * HOUR)
    assert kept.asked() == []
    assert await status(store, task.operation) is Status.SUCCEEDED
    assert [await status(store, one.id) for one in waiting] == [Status.PENDING] * 2


async def test_a_new_attempt_has_the_whole_time(store: Store, clock: TurnedClock) -> None:
    """The age of the one before it is not its own."""
    kept = await keeping(store, clock, recoveries=3)
    (task,) = kept.host.pool.placed
    await kept.passes(0.9 * HOUR)
    await kept.host.end(task, Outcome.DIED, error="killed")
    await kept.host.lease.run_once()
    await kept.host.look()
    assert len(kept.host.pool.placed) == 2
    await kept.passes(0.9 * HOUR)
    assert kept.asked() == []


async def test_one_that_had_not_begun_after_all_goes_back_uncharged(store: Store, clock: TurnedClock) -> None:
    """The host took it for begun, its worker never did."""
    kept = await keeping(store, clock, Limits(60))
    (task,) = kept.host.pool.placed
    await kept.passes(70)
    await kept.host.end(task, Outcome.RETURNED)
    assert await query(store, "select errors, deaths from opwright.ready") == [(0, 0)]


async def test_one_that_ends_well_although_it_was_asked_has_succeeded(store: Store, clock: TurnedClock) -> None:
    """Its result is there."""
    kept = await keeping(store, clock, Limits(60))
    (task,) = kept.host.pool.placed
    await kept.passes(70)
    await kept.host.end(task)
    assert await status(store, task.operation) is Status.SUCCEEDED


# ------------------------------------------------------------------------------------------------------- workers


async def test_an_active_worker_that_is_too_long_with_one_operation_is_killed(store: Store, clock: TurnedClock) -> None:
    """When asking its operation did not help; the reason names the setting."""
    kept = await keeping(store, clock)
    kept.host.pool.shown = (worker(WorkerState.ACTIVE, *kept.host.placed),)
    await kept.passes(3900 - PERIOD)
    assert kept.host.pool.killed == []
    with recorded() as events:
        await kept.passes(3 * PERIOD)
    name, why = kept.host.pool.killed[0]
    assert name == "worker-1"
    assert "worker_maximum allows 3900 s" in why
    assert "worker.ended" in [event for event, _ in events]


async def test_free_and_pending_workers_are_never_past_their_time(store: Store, clock: TurnedClock) -> None:
    """However old their lastTouched is."""
    kept = await keeping(store, clock, Limits(memory=1))
    kept.host.pool.shown = (worker(WorkerState.FREE, name="a"), worker(WorkerState.PENDING, name="b"))
    await kept.passes(600)
    kept.expiry._limits = Limits()
    await kept.passes(24 * HOUR)
    assert kept.host.pool.killed == []


async def test_a_worker_that_is_touched_is_not_killed(store: Store, clock: TurnedClock) -> None:
    """One with several slots that keeps ending operations, or with one that reports progress."""
    kept = await keeping(store, clock, timeout=1e6)
    for _ in range(10):
        kept.host.pool.shown = (worker(WorkerState.ACTIVE, *kept.host.placed, touched=clock.now()),)
        await kept.passes(0.9 * 3900)
    assert kept.host.pool.killed == []


async def test_a_worker_has_the_time_that_its_operation_said_it_needs(store: Store, clock: TurnedClock) -> None:
    """A timeout beyond the worker's maximum; the deadline ends the operation, and this rule only what survives that."""
    kept = await keeping(store, clock, timeout=3 * HOUR)
    kept.host.pool.shown = (worker(WorkerState.ACTIVE, *kept.host.placed),)
    await kept.passes(3 * HOUR)
    assert kept.host.pool.killed == []
    await kept.passes(60)
    assert kept.host.pool.killed


async def test_a_worker_that_holds_too_much_memory_is_killed_while_it_runs(store: Store, clock: TurnedClock) -> None:
    """The reason names what it held and what it may; one that is free is left to recycling."""
    kept = await keeping(store, clock, Limits(memory=2**20))
    kept.host.pool.shown = (worker(WorkerState.FREE, name="free"), worker(WorkerState.ACTIVE, *kept.host.placed, name="large"))
    assert await kept.expiry.run_once() == WEIGHING
    ((name, why),) = kept.host.pool.killed
    assert name == "large"
    assert "worker_megabytes allows 1 MiB" in why


async def test_without_a_limit_nothing_is_weighed(store: Store, clock: TurnedClock) -> None:
    """And the looks are rare."""
    kept = await keeping(store, clock, Limits(worker=None))
    kept.host.pool.shown = (worker(WorkerState.ACTIVE, *kept.host.placed),)
    assert await kept.expiry.run_once() == PERIOD
    await kept.passes(HOUR - PERIOD)
    assert kept.host.pool.killed == []


async def test_short_limits_are_looked_at_more_often(store: Store, clock: TurnedClock) -> None:
    """A quarter of the shortest, and never more often than twenty times in a second."""
    assert await (await keeping(store, clock, Limits(2.0, 8.0))).expiry.run_once() == 0.5
    assert Limits(0.000_001).period == 0.05

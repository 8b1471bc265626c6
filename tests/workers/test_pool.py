"""What both pools promise: workers with one slot each, one with several, and slots in the host's own process."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from opwright.model.worker import Outcome, Task, WorkerState
from tests.workers.host import PATIENCE, QUICK, TOKEN, Host


@pytest.mark.parametrize("trigger", ["double", "double_now"])
async def test_an_operation_is_run_and_its_result_comes_back(either: Host, trigger: str) -> None:
    assert await either.result(trigger, number=21) == 42


async def test_every_placed_task_comes_back_once(either: Host) -> None:
    placed = 0

    def place_all() -> bool:
        nonlocal placed
        while placed < 500 and either.pool.place(Task(placed + 1, TOKEN, 1, "double", '{"number":1}'), QUICK):
            placed += 1
        return len(either.updates) == 500

    await either.until(place_all)
    assert sorted(either.order) == list(range(1, 501))


async def test_no_more_is_taken_than_can_begin_at_once_unless_it_is_fast(either: Host) -> None:
    assert either.pool.free() == 2
    for room in (2, 1):
        assert either.pool.free() == room
        either.place("sleep", seconds=60)
    assert either.pool.free() == 0
    assert not either.has_room(None)
    assert not either.has_room(0.005)


async def test_slow_operations_run_side_by_side(either: Host) -> None:
    first = await either.holding("stay_now")
    second = await either.begin("sleep_now", seconds=0)
    await either.update(second)
    assert first not in either.updates
    either.release()
    await either.update(first)


async def test_the_sets_of_workers_are_disjoint_and_are_all_workers(either: Host) -> None:
    operation = await either.begin("sleep", seconds=60)
    pool = either.pool
    sets = {
        WorkerState.PENDING: pool.pending(),
        WorkerState.FREE: pool.free_workers(),
        WorkerState.ACTIVE: pool.active(),
    }
    assert all(worker.state is state for state, workers in sets.items() for worker in workers)
    names = [worker.name for workers in sets.values() for worker in workers]
    assert sorted(names) == sorted(worker.name for worker in pool.workers())
    (active,) = pool.active()
    assert active.operations == (operation,)


async def test_last_touched_tells_since_when_a_worker_is_in_its_state(either: Host) -> None:
    free = min(worker.last_touched for worker in either.pool.workers())
    operation = await either.holding("stay_now")
    (active,) = either.pool.active()
    assert active.last_touched >= free
    released = time.time_ns() // 1000
    either.release()
    await either.update(operation)
    assert not either.pool.active()
    again = max(worker.last_touched for worker in either.pool.free_workers())
    assert again >= released >= active.last_touched
    assert sum(worker.finished for worker in either.pool.workers()) == 1


async def test_what_runs_is_known_with_its_begin(either: Host) -> None:
    before = time.time_ns() // 1000
    operation = await either.begin("sleep", seconds=60)
    running = either.pool.running()[operation]
    assert (running.operation, running.token) == (operation, TOKEN)
    assert before <= running.begun <= time.time_ns() // 1000
    assert either.pool.begun_at(operation) == running.begun
    assert running.pid in {worker.pid for worker in either.pool.workers()}
    assert either.pool.begun_at(999) is None


async def test_a_running_async_operation_is_cancelled(either: Host) -> None:
    operation = await either.begin("sleep", seconds=60)
    either.cancel(operation)
    update = await either.update(operation)
    assert update.outcome is Outcome.CANCELLED
    assert either.pool.free() == 2


async def test_a_cancellation_that_is_swallowed_is_a_normal_end(either: Host) -> None:
    operation = await either.begin("swallow", seconds=60)
    either.cancel(operation)
    update = await either.update(operation)
    assert (update.outcome, update.result) == (Outcome.DONE, '"swallowed"')
    assert await either.result("sleep", seconds=0.01) == "slept"


async def test_a_cancel_of_something_else_is_ignored(either: Host) -> None:
    operation = either.place("sleep_now", seconds=0.1)
    either.cancel(999)
    either.pool.cancel(operation, TOKEN + 1, 0)
    assert (await either.update(operation)).outcome is Outcome.DONE


async def test_a_late_cancel_never_hits_the_next_operation(either: Host) -> None:
    """The cancel is sent when the first may have just ended; whatever it hits, it is not its successor."""
    for _ in range(150):
        first = either.place("spend", seconds=0.0003)
        await asyncio.sleep(0.0003)
        either.cancel(first)
        second = either.place("spend", seconds=0.0005)
        assert (await either.update(first)).outcome in {Outcome.DONE, Outcome.CANCELLED, Outcome.RETURNED}
        assert (await either.update(second)).outcome is Outcome.DONE


async def test_what_has_not_begun_can_be_cancelled_and_comes_back(either: Host) -> None:
    running = [either.place("spend_now", QUICK, seconds=0.2) for _ in range(2)]
    waiting = either.place("noop", QUICK)
    either.cancel(waiting)
    assert (await either.update(waiting)).outcome is Outcome.RETURNED
    for operation in running:
        assert (await either.update(operation)).outcome is Outcome.DONE


async def test_what_has_not_begun_can_be_recalled_in_order(either: Host) -> None:
    running = [await either.holding("stay", QUICK) for _ in range(2)]
    waiting = [either.place("noop", QUICK) for _ in range(4)]
    either.pool.recall()
    for operation in waiting:
        assert (await either.update(operation)).outcome is Outcome.RETURNED
    assert sorted(either.order) == waiting
    either.release()
    for operation in running:
        assert (await either.update(operation)).outcome is Outcome.DONE


async def test_an_operation_cannot_leak_a_context_variable(either: Host) -> None:
    for trigger in ("set_variable", "set_variable_now") * 3:
        assert await either.result(trigger, value="dirty") == "clean"


async def test_timeouts_and_task_groups_work_within_a_trigger(either: Host) -> None:
    for _ in range(3):
        assert await either.result("times_out") == "timed out"
        assert await either.result("group") == [0, 2, 4]


async def test_a_synchronous_trigger_may_start_a_loop_of_its_own(either: Host) -> None:
    for number in range(3):
        assert await either.result("uses_asyncio_run", number=number) == 2 * number
    assert await either.result("double", number=21) == 42


async def test_a_trigger_that_cancels_its_own_task_leaves_the_slot_in_use(either: Host) -> None:
    for _ in range(5):
        await either.run("cancels_itself")
        assert await either.result("double", number=21) == 42
    assert either.pool.free() == 2


async def test_a_cancellation_never_reaches_the_operation_behind_it(either: Host) -> None:
    """The first ends before the cancellation of its task was thrown; the next one is the first to suspend."""
    for _ in range(5):
        pairs = [(either.place("cancels_itself", QUICK), either.place("sleep", QUICK, seconds=0.01)) for _ in range(3)]
        for first, second in pairs:
            assert (await either.update(first)).outcome is Outcome.DONE
            assert (await either.update(second)).outcome is Outcome.DONE


async def test_failures_disturb_nobody(either: Host) -> None:
    for trigger, outcome in [
        ("nothing", Outcome.UNKNOWN),
        ("raises", Outcome.FAILED),
        ("unstorable", Outcome.INVALID),
        ("interrupts", Outcome.FAILED),
    ]:
        inputs = {"message": "no"} if trigger == "raises" else {}
        assert (await either.run(trigger, **inputs)).outcome is outcome
    assert (await either.run("exits", code=3)).outcome is Outcome.FAILED
    assert (await either.run("exits_async", code=3)).outcome is Outcome.FAILED
    assert await either.result("double", number=21) == 42


async def test_stop_lets_what_runs_end_within_its_grace(either: Host) -> None:
    operation = await either.begin("sleep_now", seconds=0.2)
    await either.pool.stop(grace=PATIENCE, kill_after=PATIENCE)
    assert either.updates[operation].outcome is Outcome.DONE
    assert either.pool.workers() == ()


async def test_stop_gives_back_what_has_not_begun(either: Host) -> None:
    running = [await either.holding("stay", QUICK) for _ in range(2)]
    waiting = [either.place("noop", QUICK) for _ in range(2)]
    stopping = asyncio.create_task(either.pool.stop(grace=PATIENCE, kill_after=PATIENCE))
    for operation in waiting:
        await either.update(operation)
    either.release()
    await stopping
    assert [either.updates[operation].outcome for operation in running] == [Outcome.DONE] * 2
    assert [either.updates[operation].outcome for operation in waiting] == [Outcome.RETURNED] * 2


async def test_stop_asks_what_outlasts_its_grace(either: Host) -> None:
    operation = await either.begin("sleep", seconds=60)
    await either.pool.stop(grace=0.01, kill_after=PATIENCE)
    assert either.updates[operation].outcome is Outcome.CANCELLED


async def test_stop_may_be_called_again_and_before_start(host: Host) -> None:
    pool = host.processes()
    await pool.stop(0, 0)
    await host.heated(1)
    await asyncio.gather(host.pool.stop(60, 60), host.pool.stop(0, 0))
    await host.pool.stop(0, 0)


async def test_a_stopped_pool_has_no_room(either: Host) -> None:
    await either.pool.stop(0, PATIENCE)
    assert either.pool.free() == 0
    assert not either.has_room()


async def test_operations_of_one_worker_are_run_strictly_in_order(host: Host, tmp_path: Path) -> None:
    await host.heated(1)
    path = tmp_path / "lines"
    operations = [host.place("append", QUICK, path=str(path), line=str(number)) for number in range(50)]
    await host.update(operations[-1])
    assert path.read_text().split() == [str(number) for number in range(50)]
    assert host.order == operations


async def test_one_worker_runs_one_operation_at_a_time(host: Host, tmp_path: Path) -> None:
    await host.heated(1)
    operations = [host.place("overlap", QUICK, path=str(tmp_path / "lock")) for _ in range(40)]
    for operation in operations:
        assert (await host.update(operation)).outcome is Outcome.DONE

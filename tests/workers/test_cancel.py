"""Asked, interrupted, killed: an operation that is to stop, and only that one."""

from __future__ import annotations

import asyncio
import time

import pytest

from opwright.model.worker import Outcome
from tests.workers.host import QUICK, Host


@pytest.fixture
async def single(host: Host) -> Host:
    await host.heated(1)
    return host


async def test_a_blocking_sleep_is_interrupted(single: Host) -> None:
    (worker,) = single.pool.workers()
    begun = time.monotonic()
    operation = await single.begin("sleep_now", seconds=60)
    single.cancel(operation)
    assert (await single.update(operation)).outcome is Outcome.CANCELLED
    assert time.monotonic() - begun < 10
    assert await single.result("pid") == worker.pid, "the worker lives on"


async def test_a_synchronous_trigger_may_swallow_its_cancellation(single: Host) -> None:
    operation = await single.begin("swallow_now", seconds=60)
    single.cancel(operation)
    update = await single.update(operation)
    assert (update.outcome, update.result) == (Outcome.DONE, '"swallowed"')
    assert await single.result("sleep_now", seconds=0.01) == "slept"


@pytest.mark.parametrize("trigger", ["stubborn", "stubborn_now", "deaf"])
async def test_one_that_does_not_stop_is_killed_with_its_worker_and_no_other(processes: Host, trigger: str) -> None:
    other = await processes.begin("sleep_now", seconds=1)
    operation = await processes.begin(trigger, seconds=60)
    pid = processes.pool.running()[operation].pid
    processes.cancel(operation, kill_after=0.2)
    update = await processes.update(operation)
    assert update.outcome is Outcome.DIED
    assert update.error == f"worker {pid} was killed by signal 9 (SIGKILL)"
    assert (await processes.update(other)).outcome is Outcome.DONE
    await processes.until(lambda: len(processes.pool.free_workers()) == 2)


async def test_one_that_stops_in_time_is_not_killed(single: Host) -> None:
    operation = await single.begin("sleep_now", seconds=60)
    single.cancel(operation, kill_after=2)  # on a machine that stands still for a moment, too
    await single.update(operation)
    successor = await single.begin("sleep_now", seconds=2.2)
    assert (await single.update(successor)).outcome is Outcome.DONE
    assert not single.named("worker.died")


async def test_what_waits_comes_back_while_the_interpreter_is_kept(single: Host) -> None:
    """Even while a trigger lets no loop turn, the host is heard."""
    running = await single.holding("stay_now", QUICK)
    waiting = single.place("noop", QUICK)
    single.cancel(waiting)
    assert (await single.update(waiting)).outcome is Outcome.RETURNED
    assert running not in single.updates
    single.release()
    assert (await single.update(running)).outcome is Outcome.DONE


async def test_an_end_is_told_although_others_were_slow_before_and_after(single: Host) -> None:
    """What ends between two long operations does not wait for the second."""
    operations = [
        single.place("sleep_now", QUICK, seconds=0.1),
        single.place("double_now", QUICK, number=1),
        single.place("stay_now", QUICK, gate=single.gate),
    ]
    await single.update(operations[1])
    assert operations[2] not in single.updates
    single.release()
    await single.update(operations[2])


async def test_an_end_is_told_although_the_next_one_is_unexpectedly_slow(single: Host) -> None:
    first = single.place("double_now", QUICK, number=1)
    second = single.place("stay_now", QUICK, gate=single.gate)
    await single.update(first)
    assert second not in single.updates
    single.release()
    await single.update(second)


async def test_the_kill_is_forgotten_when_the_operation_ends_and_returns(single: Host) -> None:
    """The same operation under another token, in the same worker, is another matter."""
    operation = await single.begin("sleep_now", seconds=0.1)
    single.pool.cancel(operation, 12345, 0)
    assert (await single.update(operation)).outcome is Outcome.DONE


@pytest.mark.parametrize("trigger", ["spend_now", "spend"])
@pytest.mark.parametrize(("shortest", "rounds"), [(0.0002, 300), (0.012, 60)])  # the longer ones are heard by the stand-in
async def test_a_cancel_in_the_last_moment_hits_its_own_operation_or_none(
    single: Host, trigger: str, shortest: float, rounds: int
) -> None:
    """Some hundred cancels around the very end of an operation, its successor already waiting behind it."""
    (worker,) = single.pool.workers()
    for number in range(rounds):
        seconds = shortest + number % 10 * 0.0001
        first = single.place(trigger, QUICK, seconds=seconds)
        second = single.place(trigger, QUICK, seconds=5 * shortest)
        await asyncio.sleep(seconds)
        single.cancel(first)
        assert (await single.update(second)).outcome is Outcome.DONE
        assert (await single.update(first)).outcome in {Outcome.DONE, Outcome.CANCELLED, Outcome.RETURNED}
    assert {update.outcome for update in single.updates.values()} >= {Outcome.DONE}
    assert await single.result("pid") == worker.pid

"""The pool in the host's own process: what is peculiar to it."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from opwright.clock import SECOND
from opwright.model.worker import Outcome
from opwright.workers import slots
from tests.workers.host import PATIENCE, QUICK, Host


async def test_operations_run_in_this_process(inline: Host) -> None:
    assert await inline.result("pid") == os.getpid()
    assert {worker.pid for worker in inline.pool.workers()} == {os.getpid()}


async def test_it_has_room_at_once(inline: Host) -> None:
    assert inline.pool.free() == 2
    await inline.until(lambda: inline.rooms == 1)


async def test_four_fast_operations_per_slot_may_wait(inline: Host) -> None:
    for _ in range(2):
        await inline.begin("sleep", seconds=60)
    assert [inline.has_room(QUICK) for _ in range(9)] == [True] * 8 + [False]
    assert not inline.has_room(None)


async def test_a_synchronous_trigger_that_is_cancelled_ends_as_it_really_ends(inline: Host) -> None:
    operation = await inline.begin("sleep_now", seconds=0.1)
    inline.cancel(operation, kill_after=0)
    update = await inline.update(operation)
    assert (update.outcome, update.result) == (Outcome.DONE, '"slept"')


async def test_what_outlasts_the_stop_is_given_up_and_reported_once(inline: Host) -> None:
    operation = await inline.holding("stay_now")
    await inline.pool.stop(0, 0.01)
    assert inline.updates[operation].outcome is Outcome.DIED
    inline.release()
    await threads_end()


async def test_a_stop_with_less_patience_overtakes_another(inline: Host) -> None:
    operation = await inline.holding("stay_now")
    await asyncio.gather(inline.pool.stop(60, 60), inline.pool.stop(0, 0))
    assert inline.updates[operation].outcome is Outcome.DIED
    inline.release()
    await threads_end()


async def threads_end() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("opwright-slot"):
            await asyncio.to_thread(thread.join, PATIENCE)


async def test_the_ends_of_one_turn_are_delivered_together(inline: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the turn takes."""
    monkeypatch.setattr(slots, "LONGEST_TURN", 3600 * SECOND)
    operations = [inline.place("noop", QUICK) for _ in range(10)]
    await inline.update(operations[-1])
    assert inline.batches == [10]
    assert inline.order == operations

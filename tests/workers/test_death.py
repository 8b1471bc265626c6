"""A worker dies, or its host does."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import time
from pathlib import Path

import pytest

from opwright.model.worker import Outcome
from tests.kit.waiting import eventually
from tests.workers.host import PATIENCE, QUICK, ROOT, Host, alive, environment, file_appears, gone


@pytest.fixture
async def single(host: Host) -> Host:
    await host.heated(1)
    return host


async def test_a_killed_worker_is_noticed_within_a_second_and_replaced(single: Host) -> None:
    operation = await single.begin("sleep_now", seconds=60)
    (worker,) = single.pool.workers()
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    await eventually(lambda: operation in single.updates, 1, "the death is noticed")
    update = single.updates[operation]
    assert update.outcome is Outcome.DIED
    assert update.error == f"worker {worker.pid} was killed by signal 9 (SIGKILL)"
    await single.until(single.pool.free_workers)
    assert await single.result("pid") != worker.pid
    (died,) = single.named("worker.died")
    assert (died["pid"], died["operations"]) == (worker.pid, (operation,))


async def test_an_idle_worker_that_is_killed_is_replaced(single: Host) -> None:
    (worker,) = single.pool.workers()
    os.kill(worker.pid or 0, signal.SIGKILL)
    await single.until(lambda: single.named("worker.died"))
    await single.until(single.pool.free_workers)
    assert await single.result("pid") != worker.pid


async def test_a_worker_that_exits_tells_its_code(single: Host) -> None:
    update = await single.run("crashes", code=7)
    assert update.outcome is Outcome.DIED
    assert update.error is not None
    assert update.error.endswith("exited with code 7")


async def test_only_what_was_running_is_charged(single: Host) -> None:
    running = await single.begin("sleep_now", QUICK, seconds=60)
    waiting = [single.place("noop", QUICK) for _ in range(5)]
    os.kill(single.pool.running()[running].pid, signal.SIGKILL)
    assert (await single.update(running)).outcome is Outcome.DIED
    for operation in waiting:
        assert (await single.update(operation)).outcome is Outcome.RETURNED


@pytest.mark.parametrize("before", [0, 1, 7, 30])
async def test_a_crash_amid_short_operations_is_charged_to_the_right_one(single: Host, before: int) -> None:
    """Also when ends before it were gathered and died unsent: those come back, uncharged."""
    earlier = [single.place("noop", QUICK) for _ in range(before)]
    culprit = single.place("kills_itself", QUICK)
    later = [single.place("noop", QUICK) for _ in range(5)]
    assert (await single.update(culprit)).outcome is Outcome.DIED
    await single.until(lambda: len(single.updates) == before + 6)
    assert {single.updates[operation].outcome for operation in later} == {Outcome.RETURNED}
    assert {single.updates[operation].outcome for operation in earlier} <= {Outcome.DONE, Outcome.RETURNED}


async def test_with_several_slots_all_that_were_running_are_charged(host: Host) -> None:
    await host.heated(1, slots=2)
    running = await host.begin("sleep", seconds=60)
    assert (await host.run("crashes", code=1)).outcome is Outcome.DIED
    assert (await host.update(running)).outcome is Outcome.DIED


async def test_an_answer_that_came_before_the_death_counts(single: Host) -> None:
    """The host's loop stands still from before the answer until after the death."""
    operation = single.place("double", number=21)
    pid = single.pool.running()[operation].pid
    (child,) = single.pool._children  # type: ignore[attr-defined]
    await asyncio.sleep(0)  # the frame goes out
    await asyncio.sleep(0)
    assert select.select([child._socket], [], [], PATIENCE)[0], "no answer"
    os.kill(pid, signal.SIGKILL)
    while alive(pid):
        time.sleep(0.002)  # noqa: ASYNC251 - the loop is to stand still
    update = await single.update(operation)
    assert (update.outcome, update.result) == (Outcome.DONE, "42")


async def test_a_grandchild_that_holds_the_channel_hides_no_death(single: Host, tmp_path: Path) -> None:
    path = tmp_path / "grandchild"
    operation = single.place("leaves_grandchild", path=str(path))
    begun = time.monotonic()
    try:
        update = await single.update(operation)
        assert update.outcome is Outcome.DIED
        assert time.monotonic() - begun < 10
        await single.until(single.pool.free_workers)
    finally:
        os.kill(int(path.read_text()), signal.SIGKILL)


async def test_a_worker_that_is_terminated_from_outside_ends_its_operation_first(single: Host) -> None:
    (worker,) = single.pool.workers()
    assert await single.result("terminates_itself") == "finished"
    await single.until(lambda: single.named("worker.recycled"))
    assert single.named("worker.recycled")[0]["reason"] == "signal"
    await single.until(single.pool.free_workers)
    assert await single.result("pid") != worker.pid
    await gone(worker.pid or 0)
    assert not single.named("worker.died")


async def test_a_termination_from_outside_leaves_alone_what_runs_in_threads(host: Host) -> None:
    """Also what was asked to stop: only the main thread of a worker with one slot can be interrupted."""
    await host.heated(1, slots=2)
    running = [await host.holding("stay_now", QUICK) for _ in range(2)]
    waiting = host.place("noop", QUICK)
    for operation in (*running, waiting):
        host.cancel(operation)
    await host.update(waiting)  # so the cancels before it have been heard
    os.kill(host.pool.running()[running[0]].pid, signal.SIGTERM)
    await host.until(lambda: host.named("worker.recycled"))
    assert host.named("worker.recycled")[0]["reason"] == "signal"
    host.release()
    for operation in running:
        update = await host.update(operation)
        assert (update.outcome, update.result) == (Outcome.DONE, '"stayed"')
    assert not host.named("worker.died")


async def test_an_idle_worker_that_is_terminated_from_outside_is_replaced(single: Host) -> None:
    (worker,) = single.pool.workers()
    os.kill(worker.pid or 0, signal.SIGTERM)
    await gone(worker.pid or 0)
    await single.until(single.pool.free_workers)
    assert not single.named("worker.died")


async def test_a_worker_ignores_the_terminals_interrupt(single: Host) -> None:
    (worker,) = single.pool.workers()
    os.kill(worker.pid or 0, signal.SIGINT)
    assert await single.result("pid") == worker.pid


HOST = """
import asyncio, sys
from pathlib import Path
from tests.workers.host import Host

async def main():
    directory = Path(sys.argv[1])
    host = Host(directory)
    await host.heated(2)
    await host.begin(sys.argv[2], seconds=600)
    pids = [str(worker.pid) for worker in host.pool.workers()]
    (directory / "pids.new").write_text(" ".join(pids))
    (directory / "pids.new").rename(directory / "pids")
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.parametrize("trigger", ["sleep_now", "sleep", "stubborn_now", "deaf"])
async def test_a_killed_host_leaves_no_worker_behind(tmp_path: Path, trigger: str) -> None:
    host = await asyncio.create_subprocess_exec(sys.executable, "-c", HOST, str(tmp_path), trigger, cwd=ROOT, env=environment())
    await file_appears(tmp_path / "pids")
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    host.kill()
    await host.wait()
    for pid in pids:
        await gone(pid)


async def test_a_worker_whose_channel_ends_ends_amid_its_operation(single: Host) -> None:
    """What happens where no kernel tells a child of its parent's death."""
    operation = await single.begin("sleep_now", seconds=60)
    (child,) = single.pool._children  # type: ignore[attr-defined]
    child.kill = lambda: None
    child._transport.abort()
    update = await single.update(operation)
    assert update.outcome is Outcome.DIED
    assert update.error is not None
    assert update.error.endswith("exited with code 1")


async def test_a_worker_that_does_not_speak_our_language_is_killed_and_says_why(host: Host) -> None:
    pool = host.processes(1)
    pool._command = lambda fd: [sys.executable, "-c", f"import os,time; os.write({fd}, b'\\xff'*8); time.sleep(60)"]
    await pool.start()
    async with asyncio.timeout(PATIENCE):
        await host.until(lambda: host.named("worker.broken"))
    assert "a frame of 4,294,967,295 bytes is announced" in host.named("worker.broken")[0]["error"]

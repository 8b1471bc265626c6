"""Pre-heated worker processes: when they get work, and how they are kept."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path

import pytest

from opwright.model.worker import Outcome, WorkerState
from opwright.workers.processes import ProcessPool
from tests.workers.host import PATIENCE, QUICK, Host, environment


async def test_start_returns_before_any_worker_is_ready_and_all_are_pending(host: Host, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    pool = host.processes(3, env=environment(TEST_GATE=str(gate)))
    await pool.start()
    assert [worker.state for worker in pool.pending()] == [WorkerState.PENDING] * 3
    assert len({worker.pid for worker in pool.pending()}) == 3
    assert not pool.free_workers()
    gate.touch()
    await host.until(lambda: len(pool.free_workers()) == 3)
    assert not pool.pending()


async def test_a_pending_worker_is_never_given_a_task(host: Host, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    pool = host.processes(1, env=environment(TEST_GATE=str(gate)))
    await pool.start()
    assert pool.free() == 0
    assert not host.has_room(None)
    assert not host.has_room(QUICK)
    gate.touch()
    await host.until(pool.free_workers)
    assert host.rooms == 1
    assert host.has_room(None)


async def test_a_worker_is_reused_and_no_process_is_started_for_an_operation(host: Host) -> None:
    await host.heated(1)
    (worker,) = host.pool.workers()
    assert {await host.result("pid") for _ in range(5)} == {worker.pid}
    assert worker.pid != os.getpid()
    assert len(host.named("worker.started")) == 1


async def test_the_application_may_be_set_up_in_the_loop(host: Host) -> None:
    await host.heated(1, env=environment(TEST_ASYNC="1"))
    assert await host.result("double", number=21) == 42


async def test_the_shortest_queue_is_filled_first(processes: Host) -> None:
    for _ in range(2):
        await processes.begin("sleep", QUICK, seconds=60)
    for _ in range(10):
        processes.place("noop", QUICK)
    assert [len(child.ledger) for child in processes.pool._children] == [6, 6]  # type: ignore[attr-defined]


async def test_so_much_may_wait_as_runs_in_three_milliseconds(host: Host) -> None:
    await host.heated(1)
    await host.begin("sleep", 0.001, seconds=60)
    assert [host.has_room(0.001) for _ in range(4)] == [True, True, True, False]


async def test_nothing_waits_behind_a_slow_operation(host: Host) -> None:
    await host.heated(1)
    await host.begin("sleep", None, seconds=60)
    assert not host.has_room(QUICK)


async def test_what_is_placed_in_one_turn_is_answered_in_few_frames(host: Host) -> None:
    await host.heated(1)
    operations = [host.place("noop", QUICK) for _ in range(50)]
    await host.update(operations[-1])
    assert len(host.batches) < 10


async def test_a_huge_result_comes_through(processes: Host) -> None:
    small = processes.place("double", number=21)
    assert len(await processes.result("huge", size=9_000_000)) == 9_000_000
    assert (await processes.update(small)).result == "42"


async def test_huge_inputs_go_through_and_such_as_no_frame_can_hold_are_invalid(processes: Host) -> None:
    update = await processes.run("raises", message="x" * 9_000_000)
    assert update.outcome is Outcome.FAILED
    update = await processes.run("raises", message="x" * 16_000_000)
    assert update.outcome is Outcome.INVALID
    assert update.error is not None
    assert update.error.startswith("the inputs cannot be sent to a worker: it has 16,0")


async def test_a_broken_application_is_told_and_tried_again(host: Host, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    pool = host.processes(1, env=environment(TEST_BROKEN=str(broken)))
    with caplog.at_level(logging.ERROR, "opwright"):
        await pool.start()
        await host.until(lambda: len(host.named("worker.broken")) == 3)
    assert len(caplog.records) == 1, "the same trouble is logged once"
    first, _, third = host.named("worker.broken")
    assert "RuntimeError: the application is broken" in first["error"]
    assert 0.05 <= first["pause"] <= 0.1
    assert 0.2 <= third["pause"] <= 0.4
    broken.unlink()
    await host.until(pool.free_workers)
    assert await host.result("double", number=21) == 42


async def test_a_worker_that_dies_before_it_is_ready_is_tried_again(host: Host, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    pool = host.processes(1, env=environment(TEST_GATE=str(gate)))
    await pool.start()
    (worker,) = pool.pending()
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    await host.until(lambda: host.named("worker.broken"))
    assert host.named("worker.broken")[0]["error"] == (
        f"worker {worker.pid} was killed by signal 9 (SIGKILL) before it was ready"
    )
    gate.touch()
    await host.until(pool.free_workers)


async def test_a_program_that_cannot_be_started_is_told_and_tried_again(host: Host) -> None:
    pool = ProcessPool(lambda fd: ["/nothing/here", str(fd)], 1, on_updates=host.on_updates, on_room=host.on_room)
    host.pool = pool
    await pool.start()
    await host.until(lambda: len(host.named("worker.broken")) == 2)
    assert host.named("worker.broken")[0]["error"].startswith("no process could be started: [Errno 2]")


async def test_stop_ends_workers_that_are_not_ready(host: Host, tmp_path: Path) -> None:
    pool = host.processes(2, env=environment(TEST_GATE=str(tmp_path / "never")))
    await pool.start()
    await pool.stop(PATIENCE, PATIENCE)
    assert pool.workers() == ()
    assert not host.named("worker.broken")


async def test_stop_kills_what_does_not_listen(processes: Host) -> None:
    operation = await processes.begin("stubborn_now", seconds=60)
    await processes.pool.stop(grace=0, kill_after=0.1)
    update = processes.updates[operation]
    assert update.outcome is Outcome.DIED
    assert processes.pool.workers() == ()


async def test_a_receiver_that_raises_disturbs_no_worker(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(updates: object) -> None:
        host.on_room()
        raise ValueError(updates)

    pool = host.processes(1)
    pool._tell_updates = refuse
    await pool.start()
    await host.until(pool.free_workers)
    for rooms in (2, 3):
        host.place("noop")
        await host.until(lambda rooms=rooms: host.rooms == rooms)  # type: ignore[misc]
    assert "updates of 1 operations were not taken" in caplog.text


async def test_a_host_that_is_busy_loses_nothing(processes: Host) -> None:
    """The loop of the host stands still while answers come and a worker dies."""
    placed = [processes.place("double", QUICK, number=number) for number in range(60)]
    await asyncio.sleep(0)
    pids = [worker.pid for worker in processes.pool.workers()]
    await asyncio.to_thread(lambda: None)
    os.kill(pids[0] or 0, signal.SIGKILL)
    await processes.until(lambda: len(processes.updates) == len(placed))
    assert sum(update.outcome is Outcome.DIED for update in processes.updates.values()) <= 1


def test_the_same_holds_on_uvloop(tmp_path: Path) -> None:
    """One story through a host that runs on uvloop."""
    uvloop = pytest.importorskip("uvloop")
    uvloop.run(_story(Host(tmp_path), tmp_path / "grandchild"))


async def _story(host: Host, grandchild: Path) -> None:
    pool = await host.heated(2)
    for operation in [host.place("double", QUICK, number=number) for number in range(80)]:
        assert (await host.update(operation)).outcome is Outcome.DONE
    assert len(await host.result("huge", size=9_000_000)) == 9_000_000
    asked = await host.begin("sleep_now", seconds=60)
    host.cancel(asked)
    assert (await host.update(asked)).outcome is Outcome.CANCELLED
    killed = await host.begin("stubborn_now", seconds=60)
    host.cancel(killed, kill_after=0.05)
    assert (await host.update(killed)).outcome is Outcome.DIED
    try:
        assert (await host.run("leaves_grandchild", path=str(grandchild))).outcome is Outcome.DIED
    finally:
        os.kill(int(grandchild.read_text()), signal.SIGKILL)  # noqa: ASYNC240 - one line
    await host.until(lambda: len(pool.free_workers()) == 2)
    running = await host.begin("sleep", seconds=60)
    await pool.stop(0, PATIENCE)
    assert host.updates[running].outcome is Outcome.CANCELLED
    assert pool.workers() == ()
    host.close()

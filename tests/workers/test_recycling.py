"""Workers that are replaced by fresh ones in time."""

from __future__ import annotations

from opwright.model.worker import Outcome
from tests.workers.host import QUICK, Host, alive, gone


async def test_a_worker_runs_so_many_operations_and_no_more(host: Host) -> None:
    await host.heated(1, recycle_after=3)
    pids = []
    for _ in range(7):
        await host.until(host.pool.free)
        pids.append(await host.result("pid"))
    first, second, third = dict.fromkeys(pids)
    assert pids == [first] * 3 + [second] * 3 + [third]
    assert [event["reason"] for event in host.named("worker.recycled")] == ["operations"] * 2
    await gone(first)
    await gone(second)
    assert not host.named("worker.died")


async def test_no_more_is_given_ahead_than_a_worker_will_run(host: Host) -> None:
    await host.heated(1, recycle_after=5)
    operations = [host.place("pid", QUICK) for _ in range(5)]
    assert not host.has_room(QUICK)
    for operation in operations:
        assert (await host.update(operation)).outcome is Outcome.DONE


async def test_a_worker_that_has_grown_too_large_is_replaced(host: Host) -> None:
    await host.heated(1, recycle_memory=300 * 1024 * 1024)
    large = await host.result("pid")
    await host.result("hold", size=400 * 1024 * 1024)
    await host.until(lambda: host.named("worker.recycled"))
    assert host.named("worker.recycled")[0]["reason"] == "memory"
    await host.until(host.pool.free_workers)
    assert await host.result("pid") != large
    await gone(large)


async def test_the_replacement_is_heated_while_the_old_one_still_runs(host: Host) -> None:
    await host.heated(1, slots=2, recycle_after=2)
    slow = await host.begin("sleep", seconds=60)
    (old,) = host.pool.active()
    assert old.pid is not None
    (child,) = host.pool._children  # type: ignore[attr-defined]
    child._recycle("memory")
    await host.until(host.pool.free_workers)
    assert [worker.pid for worker in host.pool.active()] == [old.pid], "it still runs, so it is active"
    (fresh,) = host.pool.free_workers()
    assert fresh.pid != old.pid
    assert await host.result("pid") == fresh.pid
    host.cancel(slow)
    await host.update(slow)
    assert old.pid not in {worker.pid for worker in host.pool.workers()}
    await gone(old.pid)
    assert alive(fresh.pid or 0)


async def test_what_waits_in_a_retiring_worker_comes_back(host: Host) -> None:
    await host.heated(1)
    running = await host.holding("stay", QUICK)
    waiting = [host.place("noop", QUICK) for _ in range(3)]
    (child,) = host.pool._children  # type: ignore[attr-defined]
    child._recycle("memory")
    for operation in waiting:
        assert (await host.update(operation)).outcome is Outcome.RETURNED
    host.release()
    assert (await host.update(running)).outcome is Outcome.DONE


async def test_a_worker_is_killed_by_name_and_says_why(host: Host) -> None:
    """What ran in it died, what it had not begun comes back, its neighbour never knew."""
    await host.heated(2)
    first, second = [await host.begin("sleep", QUICK, seconds=60) for _ in range(2)]
    waiting = host.place("noop", QUICK)
    running = host.pool.running()
    (behind,) = [child for child in host.pool._children if waiting in child.ledger]  # type: ignore[attr-defined]
    victim, spared = (first, second) if running[first].pid == behind.pid else (second, first)
    host.pool.kill(behind.name, "it is too large")
    died = await host.update(victim)
    assert died.outcome is Outcome.DIED
    assert died.error == f"worker {behind.pid} was killed by signal 9 (SIGKILL): it is too large"
    assert (await host.update(waiting)).outcome is Outcome.RETURNED
    await host.until(lambda: len(host.pool.workers()) == 2 and not host.pool.pending())
    assert spared in host.pool.running()


async def test_a_worker_that_does_not_exist_is_not_killed(processes: Host) -> None:
    """It has died meanwhile, or was never there."""
    before = {worker.pid for worker in processes.pool.workers()}
    processes.pool.kill("worker-4711", "why not")
    assert await processes.result("pid") in before
    assert {worker.pid for worker in processes.pool.workers()} == before


async def test_a_place_whose_worker_cannot_be_made_is_filled_later(host: Host) -> None:
    """Whatever went wrong: the configured number of workers comes back."""
    pool = host.processes(1)
    command = pool._command

    def broken(fd: int) -> list[str]:
        pool._command = command
        raise ValueError("not this time")

    pool._command = broken
    await pool.start()
    await host.until(pool.free_workers)
    assert "not this time" in host.named("worker.broken")[0]["error"]

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
    running = await host.begin("sleep", QUICK, seconds=0.3)
    waiting = [host.place("noop", QUICK) for _ in range(3)]
    (child,) = host.pool._children  # type: ignore[attr-defined]
    child._recycle("memory")
    for operation in waiting:
        assert (await host.update(operation)).outcome is Outcome.RETURNED
    assert (await host.update(running)).outcome is Outcome.DONE

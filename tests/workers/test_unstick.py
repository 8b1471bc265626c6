"""Nothing waits for long behind an operation that was thought quick and is not."""

from __future__ import annotations

import pytest

from opwright.model.worker import Outcome
from opwright.workers import child as child_module
from opwright.workers.processes import ProcessPool
from tests.workers.host import QUICK, TOKEN, Host

HOUR = 3_600_000_000  # microseconds


def begun_long_ago(host: Host, operation: int) -> None:
    """As if it had run for hours."""
    pool = host.pool
    assert isinstance(pool, ProcessPool)
    (held,) = [held for child in pool._children if (held := child.ledger.held(operation, TOKEN)) is not None]
    assert held.begun is not None
    held.begun -= 2 * HOUR


@pytest.mark.parametrize("stuck", ["sleep_now", "sleep"])
async def test_what_waits_behind_the_stuck_goes_to_another_worker(
    processes: Host, monkeypatch: pytest.MonkeyPatch, stuck: str
) -> None:
    """It comes back unbegun, and whatever is given from then on goes to the worker that moves; the stuck one runs on."""
    monkeypatch.setattr(child_module, "LATE", HOUR)
    long = await processes.begin(stuck, QUICK, seconds=60)
    stuck_in = processes.pool.running()[long].pid
    begun_long_ago(processes, long)
    waiting = [processes.place("pid", QUICK) for _ in range(20)]
    processes.pool.unstick()
    await processes.until(lambda: all(operation in processes.updates for operation in waiting))
    outcomes = {processes.updates[operation].outcome for operation in waiting}
    back = [operation for operation in waiting if processes.updates[operation].outcome is Outcome.RETURNED]
    assert outcomes == {Outcome.DONE, Outcome.RETURNED}
    assert [operation for operation in processes.order if operation in back] == back
    again = [processes.place("pid", QUICK) for _ in back]
    for operation in again:
        update = await processes.update(operation)
        assert (update.outcome, int(update.result or 0) == stuck_in) == (Outcome.DONE, False)
    assert long in processes.pool.running()
    assert long not in processes.updates


async def test_nothing_more_is_put_behind_the_stuck(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is the only worker: better to wait in the host, where another host may have it."""
    monkeypatch.setattr(child_module, "LATE", -HOUR)
    await host.heated(1)
    await host.begin("sleep_now", QUICK, seconds=60)
    behind = host.place("noop", QUICK)
    host.pool.unstick()
    assert (await host.update(behind)).outcome is Outcome.RETURNED
    assert not host.has_room(QUICK)


async def test_once_the_stuck_has_ended_things_wait_there_again(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doubt is about that operation, not about its worker."""
    await host.heated(1)
    monkeypatch.setattr(child_module, "LATE", -HOUR)
    long = await host.begin("sleep", QUICK, seconds=60)
    host.pool.unstick()
    host.pool.unstick()
    host.cancel(long)
    await host.update(long)
    operations = [host.place("noop", QUICK) for _ in range(10)]
    assert (await host.update(operations[-1])).outcome is Outcome.DONE


async def test_what_has_just_begun_is_not_doubted(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A heartbeat in the middle of quick work takes nothing back."""
    monkeypatch.setattr(child_module, "LATE", HOUR)
    await host.heated(1)
    long = await host.begin("sleep", QUICK, seconds=60)
    behind = host.place("noop", QUICK)
    host.pool.unstick()
    assert host.has_room(QUICK)
    host.cancel(long)
    assert (await host.update(behind)).outcome is Outcome.DONE

"""The contract of every service: start, stop, wake and step, in any order, and a loop that never dies."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from opwright.errors import StoreUnavailable
from opwright.service import FIRST_PAUSE, LONGEST_PAUSE, Service, backoff_pause
from opwright.telemetry import recorded

LONG = 3600.0


class Counting(Service):
    """Counts its steps; each may be given something to do."""

    def __init__(self, pause: float = LONG) -> None:
        super().__init__("counting")
        self.steps = 0
        self.pause = pause
        self.work: Callable[[], Awaitable[None]] | None = None
        self._moved = asyncio.Condition()

    async def run_once(self) -> float:
        self.steps += 1
        async with self._moved:
            self._moved.notify_all()
        if self.work is not None:
            await self.work()
        return self.pause

    async def reached(self, steps: int) -> None:
        async with asyncio.timeout(10), self._moved:
            await self._moved.wait_for(lambda: self.steps >= steps)


async def turns(count: int = 20) -> None:
    """Let the loop go round, so that whatever could happen has happened."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_starting_runs_a_step_at_once_and_pauses_after_it() -> None:
    """The step says how long it may sleep."""
    service = Counting()
    await service.start()
    await service.reached(1)
    await turns()
    assert service.steps == 1
    assert service.running
    await service.stop()


async def test_the_next_step_comes_after_the_pause_that_the_step_asked_for() -> None:
    """A pause of nothing is no pause, and lets others run meanwhile."""
    service = Counting(pause=0)
    await service.start()
    await service.reached(5)
    await service.stop()


async def test_starting_twice_is_starting_once() -> None:
    """One loop, not two."""
    service = Counting()
    await service.start()
    await service.start()
    await service.reached(1)
    service.wake()
    await service.reached(2)
    await turns()
    assert service.steps == 2
    await service.stop()


async def test_stopping_is_harmless_before_and_after() -> None:
    """Never started, started, stopped already."""
    service = Counting()
    await service.stop()
    await service.start()
    await service.stop()
    await service.stop()
    assert not service.running


async def test_nothing_runs_after_the_stop() -> None:
    """Not even when it is woken."""
    service = Counting(pause=0)
    await service.start()
    await service.reached(3)
    await service.stop()
    before = service.steps
    service.wake()
    await turns()
    assert service.steps == before


async def test_a_stopped_service_may_be_started_again() -> None:
    """It runs as before."""
    service = Counting()
    for number in (1, 2):
        await service.start()
        await service.reached(number)
        await service.stop()
    assert service.steps == 2


async def test_stopping_ends_a_step_in_progress() -> None:
    """At its next await; the stop waits until it has cleaned up."""
    service = Counting()
    cleaned = False

    async def work() -> None:
        nonlocal cleaned
        try:
            await asyncio.sleep(LONG)
        finally:
            await asyncio.sleep(0)
            cleaned = True

    service.work = work
    await service.start()
    await service.reached(1)
    await turns()
    await asyncio.wait_for(service.stop(), 5)
    assert cleaned


async def test_stopping_ends_a_loop_whose_step_has_swallowed_the_cancellation() -> None:
    """As ``asyncio.wait_for`` does before Python 3.12, if what it waits for ends at that very moment."""
    service = Counting(pause=0)

    async def swallow() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    service.work = swallow
    await service.start()
    await service.reached(1)
    await turns()
    async with asyncio.timeout(10):
        await service.stop()
    assert service.steps == 1


async def test_whoever_is_cancelled_while_it_stops_a_service_is_cancelled() -> None:
    """The stop swallows the cancellation of the service's task, not that of its caller."""
    service = Counting()
    go = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(LONG)
        finally:
            await go.wait()

    service.work = work
    await service.start()
    await service.reached(1)
    await turns()
    caller = asyncio.create_task(service.stop())
    await turns()
    caller.cancel()
    go.set()
    await asyncio.wait([caller], timeout=5)
    assert caller.cancelled()


async def test_a_wake_up_ends_the_pause() -> None:
    """The next step follows at once."""
    service = Counting()
    await service.start()
    await service.reached(1)
    await turns()
    service.wake()
    await service.reached(2)
    await turns()
    assert service.steps == 2
    await service.stop()


async def test_a_wake_up_during_a_step_is_not_lost() -> None:
    """Something came while the step had already looked: it looks again."""
    service = Counting()
    go = asyncio.Event()

    async def work() -> None:
        if service.steps == 1:
            await go.wait()

    service.work = work
    await service.start()
    await service.reached(1)
    service.wake()
    service.wake()
    go.set()
    await service.reached(2)
    await turns()
    assert service.steps == 2
    await service.stop()


async def test_a_wake_up_before_the_start_is_harmless() -> None:
    """The first step comes anyway."""
    service = Counting()
    service.wake()
    await service.start()
    await service.reached(1)
    await turns()
    assert service.steps == 1
    await service.stop()


async def test_a_step_that_raises_is_told_and_tried_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop lives on; each failure is an event, and a defect shows where it is."""
    monkeypatch.setattr("opwright.service.FIRST_PAUSE", 0.001)
    service = Counting()

    async def work() -> None:
        if service.steps <= 3:
            raise ValueError(f"step {service.steps}")

    service.work = work
    with recorded() as events, caplog.at_level(logging.ERROR, "opwright"):
        await service.start()
        await service.reached(4)
        await turns()
        assert service.running
        await service.stop()
    failures = [fields["failures"] for name, fields in events if name == "service.failed"]
    assert failures == [1, 2, 3]
    assert len(caplog.records) == 3
    assert all(record.exc_info for record in caplog.records)


async def test_a_database_that_is_away_is_told_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line when it goes, one when it is back, none for each try; and the same when it goes again."""
    monkeypatch.setattr("opwright.service.FIRST_PAUSE", 0.001)
    service = Counting(pause=0)

    async def work() -> None:
        if service.steps in {1, 2, 3, 5, 6}:
            raise StoreUnavailable("gone")

    service.work = work
    with caplog.at_level(logging.INFO, "opwright"):
        await service.start()
        await service.reached(8)
        await service.stop()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"] * 2
    assert not any(record.exc_info for record in caplog.records)


async def test_a_wake_up_does_not_end_the_pause_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """News that come while the database is away must not turn the pauses into a busy loop."""
    monkeypatch.setattr("opwright.service.FIRST_PAUSE", LONG)
    service = Counting()
    service.longest_pause = LONG

    async def work() -> None:
        raise StoreUnavailable("gone")

    service.work = work
    await service.start()
    await service.reached(1)
    for _ in range(10):
        service.wake()
        await turns()
    assert service.steps == 1
    await service.stop()


async def test_the_first_service_that_gets_through_wakes_the_others(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two services, one outage: one line when it begins, one when both are well, and nobody sleeps longer than need be."""
    monkeypatch.setattr("opwright.service.FIRST_PAUSE", LONG)
    patient, hasty = Counting(), Counting()
    patient.longest_pause, hasty.longest_pause = LONG, 0.01
    patient.outage = hasty.outage
    away = True

    async def work() -> None:
        if away:
            raise StoreUnavailable("gone")

    patient.work = hasty.work = work
    with caplog.at_level(logging.INFO, "opwright"), recorded() as events:
        await patient.start()
        await hasty.start()
        await patient.reached(1)
        await hasty.reached(3)
        assert patient.steps == 1
        away = False
        await patient.reached(2)
        await turns()
        await patient.stop()
        await hasty.stop()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert [name for name, _ in events if name.startswith("outage.")] == ["outage.began", "outage.ended"]


async def test_a_service_that_is_stopped_says_nothing_about_the_database(caplog: pytest.LogCaptureFixture) -> None:
    """Whether it would have got through nobody knows."""
    service = Counting()

    async def work() -> None:
        raise StoreUnavailable("gone")

    service.work = work
    with caplog.at_level(logging.INFO, "opwright"):
        await service.start()
        await service.reached(1)
        await turns()
        await service.stop()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_the_pauses_after_failures_grow_within_bounds() -> None:
    """They double, differ from host to host, and end at the longest."""
    bounds = {1: FIRST_PAUSE, 2: 2 * FIRST_PAUSE, 4: 8 * FIRST_PAUSE, 50: LONGEST_PAUSE, 5000: LONGEST_PAUSE}
    for failures, longest in bounds.items():
        drawn = [backoff_pause(failures) for _ in range(50)]
        assert all(longest / 2 <= pause <= longest for pause in drawn)
        assert len(set(drawn)) > 1


async def test_no_number_of_failures_ends_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database was away over the week-end: on Monday every service is still there."""
    service = Counting()

    async def work() -> None:
        raise StoreUnavailable("gone")

    service.work = work
    service._failures = 5000
    await service.start()
    await service.reached(1)
    await turns()
    assert service.running
    await service.stop()


async def test_the_count_of_failures_starts_afresh_after_a_good_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour of good steps is not forgotten because of one bad one."""
    monkeypatch.setattr("opwright.service.FIRST_PAUSE", 0.001)
    service = Counting(pause=0)

    async def work() -> None:
        if service.steps in {1, 2, 4}:
            raise ValueError("bad step")

    service.work = work
    with recorded() as events:
        await service.start()
        await service.reached(6)
        await service.stop()
    assert [fields["failures"] for name, fields in events if name == "service.failed"] == [1, 2, 1]


async def test_a_loop_that_somebody_else_ended_begins_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancellation that strayed into it, for example: told once, and the service goes on; its own stop is no mishap."""
    monkeypatch.setattr("opwright.service.FIRST_PAUSE", 0.001)
    service = Counting()
    await service.start()
    await service.reached(1)
    with recorded() as events, caplog.at_level(logging.ERROR, "opwright"):
        assert service._task is not None
        service._task.cancel()
        await service.reached(2)
        await turns()
        assert service.running
        await service.stop()
        await turns()
    assert [(name, fields["error"]) for name, fields in events] == [("service.died", "it was cancelled")]
    assert len(caplog.records) == 1
    assert not service.running


def test_a_service_that_ends_with_the_event_loop_is_no_mishap(caplog: pytest.LogCaptureFixture) -> None:
    """A program that stops nothing, and ends: ``asyncio.run`` cancels the loop of the service, and it begins nowhere."""
    service = Counting()

    async def program() -> None:
        await service.start()
        await service.reached(1)

    with recorded() as events:
        asyncio.run(program())
    assert not service.running
    assert (events, caplog.records) == ([], [])


async def test_a_service_that_is_stopped_between_two_lives_stays_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its loop had died, and was to begin again."""
    monkeypatch.setattr("opwright.service.FIRST_PAUSE", LONG)
    monkeypatch.setattr("opwright.service.LONGEST_PAUSE", LONG)
    service = Counting()
    await service.start()
    await service.reached(1)
    assert service._task is not None
    service._task.cancel()
    await turns()
    assert not service.running
    assert service.pulse == 1, "it does not move, and is not at rest either"
    again = service._beginning
    assert again is not None
    await service.stop()
    assert again.cancelled()


async def test_the_pulse_moves_with_every_step_that_ends() -> None:
    """None while there is nothing to wait for; the same number as long as a step has not ended, also if it is given up."""
    service = Counting()
    go = asyncio.Event()

    async def work() -> None:
        await go.wait()

    service.work = work
    pulses = [service.pulse]
    await service.start()
    await service.reached(1)
    pulses.append(service.pulse)
    go.set()
    await turns()
    pulses.append(service.pulse)
    go.clear()
    service.wake()
    await service.reached(2)
    pulses.append(service.pulse)
    service.interrupt()
    await turns()
    pulses.append(service.pulse)
    await service.stop()
    assert pulses == [None, 0, None, 1, 1]

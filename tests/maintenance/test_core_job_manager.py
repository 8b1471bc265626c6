"""The manager: each sweep at its own interval, once over all hosts; what fails delays nobody and is tried again."""

import logging
from collections import Counter

import pytest

from opwright.clock import TurnedClock
from opwright.errors import StoreUnavailable
from opwright.maintenance.core_job_manager import CoreJobManager
from opwright.maintenance.sweep import Deleted, OperationSweep
from opwright.model.status import OutcomeCode
from opwright.store.store import Store
from opwright.telemetry import recorded as recorded_events
from tests.contract.kit import FAILURE, Member
from tests.maintenance.kit import DAY, ended, heartbeat, recorded, sweeper


class Told(OperationSweep):
    """A sweep that does what the test says."""

    def __init__(self, name: str, interval: float, store: Store, clock: TurnedClock) -> None:
        super().__init__(name, interval, store.sweeps, clock)
        self.runs = 0
        self.deletes = 0
        self.error: Exception | None = None

    async def run_once(self) -> Deleted:
        self.runs += 1
        if self.error:
            raise self.error
        return Counter({OutcomeCode.FAILED: self.deletes}) if self.deletes else Counter()


async def test_each_sweep_has_its_own_interval(store: Store, clock: TurnedClock) -> None:
    """And the manager sleeps until the next of them is due."""
    often, seldom = Told("often", 60, store, clock), Told("seldom", 3600, store, clock)
    manager = CoreJobManager([often, seldom], store.sweeps, clock)
    for _ in range(120):
        assert await manager.run_once() == pytest.approx(60)
        clock.turn(60)
    assert (often.runs, seldom.runs) == (120, 2)


async def test_a_look_too_early_runs_nothing(store: Store, clock: TurnedClock) -> None:
    """Whoever wakes the manager changes no interval."""
    sweep = Told("one", 60, store, clock)
    manager = CoreJobManager([sweep], store.sweeps, clock)
    await manager.run_once()
    clock.turn(20)
    assert await manager.run_once() == pytest.approx(40)
    assert sweep.runs == 1


async def test_a_turn_belongs_to_one_of_all_hosts(store: Store, other: Store, clock: TurnedClock) -> None:
    """The others look again when the next one is due, and whoever comes first has it."""
    sweeps = [Told("one", 60, each, clock) for each in (store, other)]
    managers = [CoreJobManager([sweep], each.sweeps, clock) for sweep, each in zip(sweeps, (store, other), strict=True)]
    assert await managers[0].run_once() == pytest.approx(60)
    clock.turn(10)
    assert await managers[1].run_once() == pytest.approx(50)
    clock.turn(50)
    assert await managers[1].run_once() == pytest.approx(60)
    assert await managers[0].run_once() == pytest.approx(60)
    assert [sweep.runs for sweep in sweeps] == [1, 1]


async def test_a_host_that_starts_keeps_to_the_interval(store: Store, clock: TurnedClock) -> None:
    """It is remembered in the database: hosts that come and go run a sweep neither more often nor never."""
    runs = 0
    for _ in range(10):
        sweep = Told("one", 3600, store, clock)
        await CoreJobManager([sweep], store.sweeps, clock).run_once()
        runs += sweep.runs
        clock.turn(1200)
    assert runs == 4


async def test_a_clock_that_is_set_back_does_not_stop_a_sweep(store: Store, clock: TurnedClock) -> None:
    """Its last turn lies in the future then."""
    sweep = Told("one", 60, store, clock)
    await CoreJobManager([sweep], store.sweeps, clock).run_once()
    clock.turn(-10 * DAY)
    await CoreJobManager([sweep], store.sweeps, clock).run_once()
    assert sweep.runs == 2


async def test_a_sweep_that_fails_delays_no_other_and_is_tried_again(
    store: Store, clock: TurnedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """After some seconds, without waiting for its next turn; the log says what happened."""
    bad, good = Told("bad", 3600, store, clock), Told("good", 3600, store, clock)
    bad.error = ValueError("a defect")
    manager = CoreJobManager([bad, good], store.sweeps, clock)
    for run in range(1, 5):
        assert 0 < await manager.run_once() <= 5
        assert (bad.runs, good.runs) == (run, 1)
        clock.turn(5)
    assert [one.getMessage().split(",")[0] for one in caplog.records] == ["bad: step failed"] * 4
    bad.error = None
    await manager.run_once()
    clock.turn(5)
    await manager.run_once()
    assert bad.runs == 5


async def test_a_database_that_is_away_is_told_once(store: Store, clock: TurnedClock, caplog: pytest.LogCaptureFixture) -> None:
    """In one line, by each sweep."""
    sweep = Told("one", 60, store, clock)
    sweep.error = StoreUnavailable("gone")
    manager = CoreJobManager([sweep], store.sweeps, clock)
    for _ in range(5):
        await manager.run_once()
        clock.turn(5)
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [("WARNING", "one: gone; trying again")]


async def test_each_run_leaves_one_line_and_no_operation(
    store: Store, host: Member, clock: TurnedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """INFO when something was deleted, else DEBUG."""
    await ended(store, host, FAILURE, 2)
    await ended(store, host)
    manager = CoreJobManager([sweeper(store, clock), heartbeat(store, clock)], store.sweeps, clock)
    with caplog.at_level(logging.DEBUG, "opwright.none"), caplog.at_level(logging.DEBUG, "opwright"):
        await manager.run_once()
        clock.turn(15 * DAY)
        with recorded_events() as events:
            await manager.run_once()
    lines = [(one.levelname, one.getMessage()) for one in caplog.records if "deleted operation " not in one.getMessage()]
    assert lines == [
        ("DEBUG", "CoreJobSweeper: nothing to delete"),
        ("DEBUG", "failureOperationHeartbeat: nothing to delete"),
        ("INFO", "CoreJobSweeper: deleted 3 operations (1 SUCCEEDED, 2 FAILED) in 0.0 s"),
        ("DEBUG", "failureOperationHeartbeat: nothing to delete"),
    ]
    assert [(name, fields["sweep"], fields["deleted"]) for name, fields in events] == [
        ("sweep.done", "CoreJobSweeper", {"SUCCEEDED": 1, "FAILED": 2}), ("sweep.done", "failureOperationHeartbeat", {}),
    ]  # fmt: skip
    assert await recorded(store) == []


async def test_of_two_rules_the_earlier_deletion_counts(store: Store, host: Member, clock: TurnedClock) -> None:
    """A failed operation is gone after a day, though the other rule would have kept it for two weeks."""
    await ended(store, host, FAILURE)
    manager = CoreJobManager([sweeper(store, clock), heartbeat(store, clock)], store.sweeps, clock)
    clock.turn(DAY + 1)
    await manager.run_once()
    assert await recorded(store) == []

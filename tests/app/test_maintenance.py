"""Which sweeps a host has: the native rule unless everything is kept for ever, the DAM rule when one of its keys asks for it."""

import pytest

from opwright.app.maintenance import core_job_manager
from opwright.clock import SystemClock
from opwright.maintenance.core_job_sweeper import CoreJobSweeper, Retention
from opwright.maintenance.db_event_log_trimmer import DbEventLogTrimmer
from opwright.maintenance.failure_operation_heartbeat import FailureOperationHeartbeat
from opwright.maintenance.log_trimmer import DbOperationLogTrimmer
from opwright.maintenance.sweep import Sweep
from opwright.settings import Overrides, resolve
from opwright.store.store import Store, engine_for

HOUR, DAY = 3600.0, 24 * 3600.0


def sweeps(overrides: Overrides, environment: dict[str, str]) -> list[Sweep]:
    """The sweeps of a host with these settings."""
    store = Store(engine_for("sqlite:///never.db", SystemClock()))
    return [*core_job_manager(resolve(overrides, environment), store, SystemClock())._sweeps]


def sweeps_of_operations(overrides: Overrides, environment: dict[str, str]) -> list[Sweep]:
    """The same without that of the log of commands, which is always there."""
    trimmer, *others = sweeps(overrides, environment)
    assert isinstance(trimmer, DbOperationLogTrimmer)
    return others


def test_the_log_of_commands_is_kept_for_half_an_hour_and_trimmed_every_quarter() -> None:
    """Give or take a quarter of that, as the seed has it; settings say otherwise."""
    (trimmer, *_) = sweeps({}, {})
    assert isinstance(trimmer, DbOperationLogTrimmer)
    assert (trimmer.name, trimmer._keep) == ("DbOperationLogTrimmer", HOUR / 2)
    pauses = [sweeps({}, {})[0].interval for _ in range(200)]
    assert (675 <= min(pauses) < 750, 1050 < max(pauses) <= 1125) == (True, True)
    (trimmer, *_) = sweeps({"keep_log": 2.0, "trim_interval": 60.0}, {})
    assert isinstance(trimmer, DbOperationLogTrimmer)
    assert trimmer._keep == 2 * HOUR
    assert 45 <= trimmer.interval <= 75


def clean_up(environment: dict[str, str], **overrides: object) -> tuple[float, int, float]:
    """Age in seconds, number and interval of the DAM rule."""
    (sweep,) = [one for one in sweeps_of_operations(overrides, environment) if isinstance(one, FailureOperationHeartbeat)]  # type: ignore[arg-type]
    return sweep._age, sweep._records, sweep.interval


def test_without_a_word_the_seed_s_times_are_kept() -> None:
    """24 hours and two weeks, looked at every minute; the DAM rule is off."""
    sweep, trimmer = sweeps_of_operations({}, {})
    assert isinstance(sweep, CoreJobSweeper)
    assert isinstance(trimmer, DbEventLogTrimmer)
    assert (trimmer.name, trimmer.interval, trimmer._retention.succeeded) == ("DbEventLogTrimmer", 900.0, HOUR)
    assert (sweep.name, sweep.interval, sweep._retention) == ("CoreJobSweeper", 60.0, Retention(DAY, DAY, 14 * DAY))


def test_where_everything_is_kept_nothing_looks() -> None:
    """Of operations; the log of commands always is."""
    never: Overrides = {"keep_succeeded": "never", "keep_cancelled": "never", "keep_failed": "never", "keep_events": "never"}
    assert sweeps_of_operations(never, {}) == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"OPWRIGHT_DAM_CLEANUP": "on"}, (DAY, 20_000, HOUR)),
        ({"FAILED_OPERATION_THRESHOLD_TIME_HOURS": "12"}, (12 * HOUR, 20_000, HOUR)),
        ({"FAILED_OPERATION_THRESHOLD_LIMIT_RECORDS": "50"}, (DAY, 50, HOUR)),
        ({"POLL_FAILED_OPERATIONS_INTERVAL": "60000"}, (DAY, 20_000, 60.0)),
    ],
)
def test_one_key_of_the_dam_rule_switches_it_on(environment: dict[str, str], expected: tuple[float, int, float]) -> None:
    """And the others have the seed's defaults: 24 hours, 20000 records, every hour."""
    assert clean_up(environment) == expected
    assert len(sweeps_of_operations({}, environment)) == 3


def test_the_dam_rule_has_the_seed_s_name() -> None:
    """In the log, and in the table that remembers its turns."""
    assert [sweep.name for sweep in sweeps_of_operations({"dam_cleanup": "on"}, {})] == [
        "CoreJobSweeper", "DbEventLogTrimmer", "failureOperationHeartbeat",
    ]  # fmt: skip


def test_the_dam_rule_can_be_kept_off() -> None:
    """Whatever its keys say, which others may read too."""
    assert len(sweeps_of_operations({"dam_cleanup": "off"}, {"FAILED_OPERATION_THRESHOLD_TIME_HOURS": "12"})) == 2


def test_the_dam_rule_may_stand_alone() -> None:
    """What succeeded is kept for ever then, and what was cancelled."""
    overrides: Overrides = {
        "keep_succeeded": "never",
        "keep_cancelled": "never",
        "keep_failed": "never",
        "keep_events": "never",
        "dam_cleanup": "on",
    }
    assert [sweep.name for sweep in sweeps_of_operations(overrides, {})] == ["failureOperationHeartbeat"]

"""What a value may be: types, bounds, text in variables; every error names its setting."""

import os
from typing import Any

import pytest

from opwright import ConfigurationError, Opwright, Settings
from opwright.settings import TABLE, Database, Overrides, resolve


def test_the_defaults_are_those_of_the_documentation() -> None:
    """What a host does that was told nothing."""
    settings = resolve({}, {})
    assert settings == Settings()
    assert settings.workers == max(os.cpu_count() or 1, 1)
    assert (settings.heartbeat, settings.lease, settings.renew) == (2.0, 12.0, 3.0)
    assert (settings.stop_grace, settings.kill_after, settings.unknown_after) == (30.0, 5.0, 60.0)
    assert (settings.pool, settings.look_ahead, settings.queues) == ("process", "auto", None)
    assert (settings.wait_interval, settings.waits) == (120.0, 3)
    assert (settings.keep_succeeded, settings.keep_cancelled, settings.keep_failed) == (24.0, 24.0, 14 * 24.0)
    assert (settings.keep_events, Database(url="sqlite:///never.db").event_retries) == (1.0, 5)
    assert (settings.sweep_interval, settings.dam_cleanup) == (60.0, "auto")
    assert (settings.keep_log, settings.trim_interval) == (0.5, 900.0)


def test_the_table_holds_every_setting_and_an_argument_sets_each_of_a_host() -> None:
    """None is forgotten in one of the places."""
    assert list(TABLE) == [*Database.__struct_fields__, *Settings.__struct_fields__]
    assert list(Overrides.__annotations__) == list(Settings.__struct_fields__)


def test_every_default_is_a_value_that_is_allowed() -> None:
    """And each has a meaning."""
    assert all(setting.about.meaning and setting.allows(setting.default) for setting in TABLE.values())


@pytest.mark.parametrize(
    ("variable", "text", "setting", "value"),
    [
        ("OPWRIGHT_WORKERS", "7", "workers", 7),
        ("OPWRIGHT_SLOTS", "9", "slots", 9),
        ("OPWRIGHT_POOL", "inline", "pool", "inline"),
        ("OPWRIGHT_QUEUES", "mail", "queues", ("mail",)),
        ("OPWRIGHT_QUEUES", " mail , photos ,", "queues", ("mail", "photos")),
        ("OPWRIGHT_HEARTBEAT", "0.25", "heartbeat", 0.25),
        ("OPWRIGHT_LOOK_AHEAD", "0", "look_ahead", 0),
        ("OPWRIGHT_LOOK_AHEAD", "auto", "look_ahead", "auto"),
        ("OPWRIGHT_LEASE", "20", "lease", 20.0),
        ("OPWRIGHT_RENEW", "1.5", "renew", 1.5),
        ("OPWRIGHT_STOP_GRACE", "0", "stop_grace", 0.0),
        ("OPWRIGHT_KILL_AFTER", "1", "kill_after", 1.0),
        ("OPWRIGHT_UNKNOWN_AFTER", "5", "unknown_after", 5.0),
        ("OPWRIGHT_WAIT_INTERVAL", "7.5", "wait_interval", 7.5),
        ("OPERATION_WAIT_INTERVAL", "7500", "wait_interval", 7.5),
        ("OPWRIGHT_WAITS", "1", "waits", 1),
        ("OPWRIGHT_MAXIMUM_PROCESSING", "7200", "maximum_processing", 7200.0),
        ("OPWRIGHT_WORKER_MAXIMUM", "7500.5", "worker_maximum", 7500.5),
        ("OPWRIGHT_WORKER_MEGABYTES", "2048", "worker_megabytes", 2048),
        ("OPWRIGHT_RECYCLE_AFTER", "1000", "recycle_after", 1000),
        ("OPWRIGHT_RECYCLE_MEGABYTES", "512", "recycle_megabytes", 512),
        ("OPWRIGHT_KEEP_SUCCEEDED", "0.5", "keep_succeeded", 0.5),
        ("OPWRIGHT_KEEP_CANCELLED", "0", "keep_cancelled", 0.0),
        ("OPWRIGHT_KEEP_FAILED", "never", "keep_failed", "never"),
        ("OPWRIGHT_KEEP_EVENTS", "2", "keep_events", 2.0),
        ("OPWRIGHT_SWEEP_INTERVAL", "5", "sweep_interval", 5.0),
        ("OPWRIGHT_KEEP_LOG", "2", "keep_log", 2.0),
        ("OPWRIGHT_TRIM_INTERVAL", "60", "trim_interval", 60.0),
        ("OPWRIGHT_DAM_CLEANUP", "on", "dam_cleanup", "on"),
        ("OPWRIGHT_FAILED_AGE", "48", "failed_age", 48.0),
        ("FAILED_OPERATION_THRESHOLD_TIME_HOURS", "12", "failed_age", 12.0),
        ("OPWRIGHT_FAILED_RECORDS", "100", "failed_records", 100),
        ("FAILED_OPERATION_THRESHOLD_LIMIT_RECORDS", "500", "failed_records", 500),
        ("OPWRIGHT_FAILED_INTERVAL", "60", "failed_interval", 60.0),
        ("POLL_FAILED_OPERATIONS_INTERVAL", "1800000", "failed_interval", 1800.0),
    ],
)
def test_each_setting_may_come_from_the_environment(variable: str, text: str, setting: str, value: object) -> None:
    """``OPWRIGHT_`` and its name in capitals, or the name and the unit that a seed gave it."""
    assert getattr(resolve({}, {variable: text}), setting) == value


BAD: list[tuple[str, Any]] = [
    ("workers", 0),
    ("workers", -1),
    ("workers", 1.5),
    ("workers", "two"),
    ("workers", True),
    ("slots", 0),
    ("slots", 8193),
    ("pool", "threads"),
    ("queues", "mail"),
    ("queues", (1,)),
    ("queues", ()),
    ("heartbeat", 0),
    ("heartbeat", -1.0),
    ("heartbeat", float("nan")),
    ("heartbeat", float("inf")),
    ("look_ahead", 5),
    ("look_ahead", "always"),
    ("lease", 5.0),
    ("lease", float("inf")),
    ("renew", 0.0),
    ("stop_grace", -0.1),
    ("stop_grace", float("nan")),
    ("kill_after", float("inf")),
    ("unknown_after", 0.0),
    ("wait_interval", 0.0),
    ("waits", 0),
    ("maximum_processing", 0),
    ("worker_maximum", -1.0),
    ("worker_megabytes", 0),
    ("recycle_after", 0),
    ("recycle_megabytes", -5),
    ("keep_succeeded", -1.0),
    ("keep_cancelled", "always"),
    ("keep_failed", float("inf")),
    ("keep_events", -1.0),
    ("sweep_interval", 0.0),
    ("keep_log", -0.5),
    ("trim_interval", 0.0),
    ("dam_cleanup", True),
    ("failed_age", "never"),
    ("failed_records", 0),
    ("failed_interval", 0.5),
]


@pytest.mark.parametrize(("setting", "value"), BAD, ids=lambda one: one if isinstance(one, str) else repr(one))
def test_a_bad_value_is_refused_by_the_name_of_its_setting(setting: str, value: Any) -> None:
    """ConfigurationError, before anything is started."""
    with pytest.raises(ConfigurationError, match=f"^{setting}: "):
        Opwright("sqlite:///never.db").host(**{setting: value})


@pytest.mark.parametrize(("setting", "value"), [("workers", 0), ("slots", 8193), ("heartbeat", float("nan")), ("queues", ())])
def test_settings_that_are_made_directly_keep_within_the_same_bounds(setting: str, value: Any) -> None:
    """There is no way round them."""
    with pytest.raises(ConfigurationError, match=f"^{setting}: .* is not a "):
        Settings(**{setting: value})


@pytest.mark.parametrize(
    ("variable", "text", "reason"),
    [
        ("OPWRIGHT_WORKERS", "two", "'two' is not a whole number from 1 on"),
        ("OPWRIGHT_POOL", "threads", "'threads' is not 'process' or 'inline'"),
        ("OPWRIGHT_LEASE", "", "'' is not a number of seconds above 0"),
        ("OPWRIGHT_HEARTBEAT", "nan", "'nan' is not a number of seconds above 0"),
        ("OPWRIGHT_SLOTS", "0", "'0' is not a whole number from 1 to 8192"),
        ("OPWRIGHT_QUEUES", " , ", "[] is not a list of names"),
        ("OPERATION_WAIT_INTERVAL", "2 min", "'2 min' is not a number of milliseconds above 0"),
        ("OPERATION_WAIT_INTERVAL", "0", "'0' is not a number of milliseconds above 0"),
        ("OPWRIGHT_KEEP_FAILED", "14 days", "'14 days' is not a number of hours from 0 on or 'never'"),
        ("OPWRIGHT_DAM_CLEANUP", "yes", "'yes' is not 'auto' or 'on' or 'off'"),
        # Whoever takes it for hours is told, and not taken at his word.
        ("POLL_FAILED_OPERATIONS_INTERVAL", "1", "'1' is not a number of milliseconds from 1000 on"),
        ("FAILED_OPERATION_THRESHOLD_LIMIT_RECORDS", "0", "'0' is not a whole number of records from 1 on"),
    ],
)
def test_a_bad_variable_is_refused_by_its_own_name(variable: str, text: str, reason: str) -> None:
    """Whoever reads the error looks for the variable, not for an argument in somebody's code."""
    with pytest.raises(ConfigurationError) as refused:
        resolve({}, {variable: text})
    assert str(refused.value) == f"{variable}: {reason}"


@pytest.mark.parametrize("name", ["wrokers", "url"])
def test_what_is_no_setting_of_a_host_is_refused(name: str) -> None:
    """``wrokers=3`` must not be a host with another number of workers, and the database is the application's."""
    with pytest.raises(ConfigurationError, match=f"^{name} is no setting"):
        Opwright("sqlite:///never.db").host(**{name: 3})  # type: ignore[arg-type]


def test_a_lease_must_outlast_a_late_renewal() -> None:
    """At least two renewals fit into it; the error says why, and where each of the two stands."""
    with pytest.raises(ConfigurationError, match=r"^lease: 5\.9 s must be at least twice renew \(3\.0 s\)"):
        resolve({"lease": 5.9, "renew": 3.0}, {})
    with pytest.raises(ConfigurationError, match=r"^lease: 12\.0 s must be at least twice OPWRIGHT_RENEW \(7\.0 s\)"):
        resolve({}, {"OPWRIGHT_RENEW": "7"})
    assert resolve({"lease": 6.0, "renew": 3.0}, {}).lease == 6.0

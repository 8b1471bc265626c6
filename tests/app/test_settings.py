"""Settings: arguments beat the environment, the environment beats the defaults, and every error names its setting."""

import os
from typing import Any

import pytest

from opwright import ConfigurationError, Opwright, Settings
from opwright.settings import Overrides, resolve


def test_the_defaults_are_those_of_the_documentation() -> None:
    """What a host does that was told nothing."""
    settings = resolve({}, {})
    assert settings == Settings()
    assert settings.workers == max(os.cpu_count() or 1, 1)
    assert (settings.heartbeat, settings.lease, settings.renew) == (2.0, 12.0, 3.0)
    assert (settings.stop_grace, settings.kill_after, settings.unknown_after) == (30.0, 5.0, 60.0)
    assert (settings.pool, settings.look_ahead, settings.queues) == ("process", "auto", None)


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
        ("OPWRIGHT_RECYCLE_AFTER", "1000", "recycle_after", 1000),
        ("OPWRIGHT_RECYCLE_MEGABYTES", "512", "recycle_megabytes", 512),
    ],
)
def test_each_setting_may_come_from_the_environment(variable: str, text: str, setting: str, value: object) -> None:
    """``OPWRIGHT_`` and its name in capitals."""
    assert getattr(resolve({}, {variable: text}), setting) == value


def test_every_setting_has_an_argument_and_a_variable() -> None:
    """None is forgotten in one of the places."""
    assert set(Overrides.__annotations__) == set(Settings.__struct_fields__)


def test_arguments_beat_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the code says is meant; what it leaves open comes from where it runs."""
    monkeypatch.setenv("OPWRIGHT_WORKERS", "3")
    monkeypatch.setenv("OPWRIGHT_HEARTBEAT", "9")
    host = Opwright("sqlite:///never.db").host(heartbeat=1.0)
    assert (host.settings.workers, host.settings.heartbeat) == (3, 1.0)


def test_other_variables_are_not_settings() -> None:
    """The address has its own variable, and strangers mean nothing."""
    assert resolve({}, {"OPWRIGHT_URL": "x", "WORKERS": "9", "opwright_workers": "9"}) == Settings()


BAD: list[tuple[str, Any]] = [
    ("workers", 0),
    ("workers", -1),
    ("workers", 1.5),
    ("workers", "two"),
    ("workers", True),
    ("slots", 0),
    ("pool", "threads"),
    ("queues", "mail"),
    ("queues", (1,)),
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
    ("recycle_after", 0),
    ("recycle_megabytes", -5),
]


@pytest.mark.parametrize(("setting", "value"), BAD, ids=lambda one: one if isinstance(one, str) else repr(one))
def test_a_bad_value_is_refused_by_the_name_of_its_setting(setting: str, value: Any) -> None:
    """ConfigurationError, before anything is started."""
    with pytest.raises(ConfigurationError, match=setting):
        Opwright("sqlite:///never.db").host(**{setting: value})


@pytest.mark.parametrize(
    ("variable", "text"),
    [("OPWRIGHT_WORKERS", "two"), ("OPWRIGHT_POOL", "threads"), ("OPWRIGHT_LEASE", ""), ("OPWRIGHT_HEARTBEAT", "nan"),
     ("OPWRIGHT_SLOTS", "0")],
)  # fmt: skip
def test_a_bad_variable_is_refused_by_its_own_name(variable: str, text: str) -> None:
    """Whoever reads the error looks for the variable, not for an argument in somebody's code."""
    with pytest.raises(ConfigurationError, match=variable):
        resolve({}, {variable: text})


def test_a_misspelt_setting_is_refused() -> None:
    """``wrokers=3`` must not be a host with another number of workers."""
    with pytest.raises((ConfigurationError, TypeError), match="wrokers"):
        Opwright("sqlite:///never.db").host(wrokers=3)  # type: ignore[call-arg]


def test_a_lease_must_outlast_a_late_renewal() -> None:
    """At least two renewals fit into it, and the error says why."""
    with pytest.raises(ConfigurationError, match=r"lease.*twice renew"):
        resolve({"lease": 5.9, "renew": 3.0}, {})
    assert resolve({"lease": 6.0, "renew": 3.0}, {}).lease == 6.0

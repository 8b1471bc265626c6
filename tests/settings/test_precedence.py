"""Where a value comes from: an argument, a variable, a file, a seed's variable, the default; the first that has it wins."""

import logging
from itertools import combinations
from pathlib import Path

import pytest

from opwright import ConfigurationError, Opwright, Settings
from opwright.settings import TABLE, Database, Overrides, look_up, resolve

# How each place sets `wait_interval`, which all of them can: arguments, environment, file; then the value and its source.
PLACES: dict[str, tuple[Overrides, dict[str, str], str, float, str]] = {
    "argument": ({"wait_interval": 1.0}, {}, "", 1.0, "argument"),
    "variable": ({}, {"OPWRIGHT_WAIT_INTERVAL": "2"}, "", 2.0, "OPWRIGHT_WAIT_INTERVAL"),
    "file": ({}, {}, "wait_interval = 3", 3.0, "opwright.toml"),
    "seed": ({}, {"OPERATION_WAIT_INTERVAL": "4500"}, "", 4.5, "OPERATION_WAIT_INTERVAL"),
    "default": ({}, {}, "", 120.0, "default"),
}


@pytest.mark.parametrize(("stronger", "weaker"), list(combinations(PLACES, 2)))
def test_the_stronger_place_wins(stronger: str, weaker: str, folder: Path) -> None:
    """Each pair of places, and the source says which of the two it was."""
    arguments, environment, file, value, source = PLACES[stronger]
    others, surroundings, beneath, _, _ = PLACES[weaker]
    (folder / "opwright.toml").write_text(file or beneath)
    found = look_up(arguments | others, environment | surroundings)
    assert found.build(Settings).wait_interval == value
    assert found.sources["wait_interval"] == source
    assert resolve(arguments | others, environment | surroundings).wait_interval == value


def test_every_setting_has_a_source(folder: Path) -> None:
    """Also those that nobody set."""
    assert look_up({}, {}).sources == dict.fromkeys(TABLE, "default")
    (folder / "pyproject.toml").write_text("[tool.opwright]\nworkers = 3\n")
    assert look_up({}, {}).sources["workers"] == "pyproject.toml [tool.opwright]"


def test_an_argument_of_none_is_an_argument() -> None:
    """``host(slots=None)`` means the default, whatever the environment says."""
    assert resolve({"slots": None}, {"OPWRIGHT_SLOTS": "9"}).slots is None


def test_a_host_looks_in_every_place(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """What the code says is meant; what it leaves open comes from where it runs."""
    monkeypatch.setenv("OPWRIGHT_WORKERS", "3")
    monkeypatch.setenv("OPWRIGHT_HEARTBEAT", "9")
    (folder / "opwright.toml").write_text("workers = 8\nslots = 4\n")
    settings = Opwright("sqlite:///never.db").host(heartbeat=1.0).settings
    assert (settings.workers, settings.heartbeat, settings.slots) == (3, 1.0, 4)


# ------------------------------------------------------------------------------------------------- the database


def test_an_application_takes_its_database_from_the_first_place_that_has_it(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """The file, the variable, the argument; each beats the one before, and ``sources`` remembers which it was."""
    (folder / "opwright.toml").write_text('url = "sqlite:///file.db"\nschema = "of_file"\nevent_retries = 1\n')
    ops = Opwright()
    assert (ops.client.url, ops.client.schema) == ("sqlite:///file.db", "of_file")
    default = {"log_watcher": "default"}
    of_file = dict.fromkeys(("url", "schema", "event_retries"), "opwright.toml")
    assert ops.sources == of_file | default
    assert ops.client.event_retries == 1

    monkeypatch.setenv("OPWRIGHT_URL", "sqlite:///variable.db")
    monkeypatch.setenv("OPWRIGHT_SCHEMA", "of_variable")
    monkeypatch.setenv("OPWRIGHT_EVENT_RETRIES", "2")
    ops = Opwright()
    assert (ops.client.url, ops.client.schema) == ("sqlite:///variable.db", "of_variable")
    assert (
        ops.sources == {"url": "OPWRIGHT_URL", "schema": "OPWRIGHT_SCHEMA", "event_retries": "OPWRIGHT_EVENT_RETRIES"} | default
    )
    assert ops.client.event_retries == 2

    ops = Opwright("sqlite:///argument.db", schema="of_argument", event_retries=3)
    assert (ops.client.url, ops.client.schema) == ("sqlite:///argument.db", "of_argument")
    assert ops.sources == {"url": "argument", "schema": "argument", "event_retries": "argument"} | default
    assert ops.client.event_retries == 3


@pytest.mark.parametrize("retries", [-1, 10_001])
def test_a_number_of_retries_that_makes_no_sense_is_refused(retries: int) -> None:
    """When the application is made, and not with the first event."""
    with pytest.raises(ConfigurationError, match=f"event_retries: {retries} is not a whole number from 0 to 10000"):
        Opwright("sqlite:///never.db", event_retries=retries)


def test_without_any_it_is_the_default_schema_and_no_database() -> None:
    """A schema needs no thought, a database does."""
    assert look_up({}, {}).build(Database) == Database(url="", schema="opwright")
    with pytest.raises(ConfigurationError, match=r"sqlite:///.*OPWRIGHT_URL.*opwright\.toml"):
        Opwright()


def test_a_wrong_address_is_refused_under_the_place_where_it_stands(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A variable or a file is named; an argument stands in the traceback already."""
    (folder / "opwright.toml").write_text('url = "mysql://file"\n')
    with pytest.raises(ConfigurationError, match=rf"^{folder}/opwright\.toml: url: 'mysql' is no database"):
        Opwright()
    monkeypatch.setenv("OPWRIGHT_URL", "mysql://variable")
    with pytest.raises(ConfigurationError, match=r"^OPWRIGHT_URL: 'mysql' is no database"):
        Opwright()
    with pytest.raises(ConfigurationError, match=r"^'mysql' is no database"):
        Opwright("mysql://argument")
    monkeypatch.setenv("OPWRIGHT_SCHEMA", "A b")
    with pytest.raises(ConfigurationError, match=r"^OPWRIGHT_SCHEMA: 'A b' must be"):
        Opwright("sqlite:///a.db")


# ------------------------------------------------------------------------------------------------- what looks wrong


def test_a_seeds_variable_that_differs_from_ours_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Somebody changed one of the two and wonders; the same length in another unit is no difference."""
    ours = {"OPWRIGHT_WAIT_INTERVAL": "60"}
    with caplog.at_level(logging.WARNING, "opwright"):
        resolve({}, ours | {"OPERATION_WAIT_INTERVAL": "60000"})
        assert caplog.messages == []
        for theirs in ("60", "1 min"):
            assert resolve({}, ours | {"OPERATION_WAIT_INTERVAL": theirs}).wait_interval == 60.0
    assert caplog.messages == [
        f"OPERATION_WAIT_INTERVAL={theirs} (in ms) has no effect: OPWRIGHT_WAIT_INTERVAL=60 (in s) overrules it; "
        "leave one of them out"
        for theirs in ("60", "1 min")
    ]


def test_a_variable_that_is_no_setting_is_told_once_for_each_host(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be somebody else's, so it stops nobody; but it may be misspelt too."""
    monkeypatch.setenv("OPWRIGHT_WROKERS", "3")
    with caplog.at_level(logging.WARNING, "opwright"):
        ops = Opwright("sqlite:///never.db")
        assert caplog.messages == []
        ops.host(workers=1)
    assert caplog.messages == ["OPWRIGHT_WROKERS is no setting; did you mean OPWRIGHT_WORKERS?"]


def test_what_is_known_or_a_strangers_is_not_remarked(folder: Path) -> None:
    """The address, the file, what tests use, and names that do not begin as ours do."""
    (folder / "own.toml").touch()
    known = {"OPWRIGHT_URL": "x", "OPWRIGHT_SCHEMA": "x", "OPWRIGHT_CONFIG": "own.toml", "OPWRIGHT_TEST_POSTGRES": "x"}
    strangers = {"WORKERS": "9", "opwright_workers": "9"}
    assert look_up({}, known | strangers).remarks == ()
    assert resolve({}, known | strangers) == Settings()
    assert look_up({}, {"OPWRIGHT_ZZZ": "1"}).remarks == ("OPWRIGHT_ZZZ is no setting",)

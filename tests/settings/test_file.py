"""Settings in TOML: which file is read, and what in it is refused."""

from pathlib import Path

import pytest

from opwright import ConfigurationError
from opwright.settings import look_up, resolve


def test_every_type_of_value_may_stand_in_the_file(folder: Path) -> None:
    """A whole number does for seconds, a list has names, ``look_ahead`` is a word or 0."""
    lines = ("workers = 5", "heartbeat = 1", "lease = 9.5", 'pool = "inline"', 'queues = ["mail", "photos"]', "look_ahead = 0")
    (folder / "opwright.toml").write_text("\n".join(lines))
    settings = resolve({}, {})
    assert (settings.workers, settings.heartbeat, settings.lease) == (5, 1.0, 9.5)
    assert (settings.pool, settings.queues, settings.look_ahead) == ("inline", ("mail", "photos"), 0)


def test_its_own_file_comes_before_the_projects(folder: Path) -> None:
    """One of them is read, not both; a project that says nothing about Opwright is no file of settings."""
    (folder / "pyproject.toml").write_text('[project]\nname = "x"\n')
    assert look_up({}, {}).file is None
    (folder / "pyproject.toml").write_text("[tool.opwright]\nworkers = 3\nslots = 2\n")
    assert resolve({}, {}).workers == 3
    (folder / "opwright.toml").write_text("workers = 4\n")
    settings = resolve({}, {})
    assert (settings.workers, settings.slots) == (4, None)


def test_a_named_file_replaces_those_of_the_folder(folder: Path) -> None:
    """In a file called pyproject.toml the table is read, in any other the whole file."""
    (folder / "opwright.toml").write_text("workers = 4\n")
    (folder / "other").mkdir()
    (folder / "other" / "host.toml").write_text("workers = 5\n")
    (folder / "other" / "pyproject.toml").write_text("[tool.opwright]\nworkers = 6\n")
    assert resolve({}, {"OPWRIGHT_CONFIG": "other/host.toml"}).workers == 5
    found = look_up({}, {"OPWRIGHT_CONFIG": f"{folder}/other/pyproject.toml"})
    assert found.given["workers"].value == 6
    assert found.sources["workers"] == f"{folder}/other/pyproject.toml [tool.opwright]"


@pytest.mark.parametrize(
    ("named", "reason"),
    [("gone.toml", "'gone.toml' does not exist"), ("pyproject.toml", r"'pyproject.toml' has no \[tool.opwright\]")],
)
def test_a_named_file_must_be_there(named: str, reason: str, folder: Path) -> None:
    """Or a host would start with other settings than it was told."""
    (folder / "pyproject.toml").write_text("[project]\n")
    with pytest.raises(ConfigurationError, match=f"^OPWRIGHT_CONFIG: the file {reason}$"):
        resolve({}, {"OPWRIGHT_CONFIG": named})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("wrokers = 3", "wrokers is no setting; did you mean workers?"),
        ("stop-grace = 3", "stop-grace is no setting; did you mean stop_grace?"),
        ("[tool.opwright]", "tool is no setting"),
        ('workers = "3"', "workers: '3' is not a whole number from 1 on"),
        ("workers = 0", "workers: 0 is not a whole number from 1 on"),
        ("workers = true", "workers: True is not a whole number from 1 on"),
        ("slots = 8193", "slots: 8193 is not a whole number from 1 to 8192"),
        ("heartbeat = nan", "heartbeat: nan is not a number of seconds above 0"),
        ("stop_grace = inf", "stop_grace: inf is not a number of seconds from 0 on"),
        ("recycle_megabytes = 0", "recycle_megabytes: 0 is not a whole number of MiB from 1 on"),
        ('queues = "mail"', "queues: 'mail' is not a list of names"),
        ("queues = []", "queues: [] is not a list of names"),
        ("look_ahead = 5", "look_ahead: 5 is not 'auto' or 0"),
        ("lease = 1", "lease: 1.0 s must be at least twice renew (3.0 s), or one late renewal loses it"),
    ],
)
@pytest.mark.parametrize(("name", "head"), [("opwright.toml", ""), ("pyproject.toml", "[tool.opwright]\n")])
def test_what_does_not_fit_is_refused_by_file_and_name(name: str, head: str, line: str, reason: str, folder: Path) -> None:
    """Whoever reads the error knows which file to open, which line to look for, and what would fit."""
    (folder / name).write_text(head + line.replace("[tool.opwright]", "[tool.opwright.tool]" if head else "[tool.opwright]"))
    with pytest.raises(ConfigurationError) as refused:
        resolve({}, {})
    assert str(refused.value) == f"{folder}/{name}{' ' * bool(head)}{head.strip()}: {reason}"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"workers = [", "this is no TOML: "),
        (b"\xff", "this is no TOML: "),
        (b"tool.opwright = 3", "tool.opwright is 3; write a table"),
    ],
)
def test_a_file_that_cannot_be_understood_is_named(content: bytes, reason: str, folder: Path) -> None:
    """Its settings may matter, so nothing starts without them."""
    (folder / "pyproject.toml").write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"^{folder}/pyproject.toml: {reason}"):
        resolve({}, {})


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    """A folder in its place, for example."""
    (folder / "opwright.toml").mkdir()
    with pytest.raises(ConfigurationError, match=f"^{folder}/opwright.toml: cannot be read: "):
        resolve({}, {})

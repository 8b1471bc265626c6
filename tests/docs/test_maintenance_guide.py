"""The guide to maintenance: its program does what it says, its files and variables are read, its defaults are in force."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from opwright.settings import Settings, look_up
from tests.app.test_maintenance import clean_up

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "maintenance.md").read_text()


def block(language: str) -> str:
    """The one block of this language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    return str(found)


def test_the_program_of_the_guide_sees_its_record_go(tmp_path: Path) -> None:
    """It is there for a while after the end, and then is not."""
    (tmp_path / "kept.py").write_text(block("python"))
    done = subprocess.run([sys.executable, "kept.py"], cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    *before, last = done.stdout.splitlines()
    assert {"FAILED"} <= {*before} <= {"PENDING", "PROCESSING", "FAILED"}
    assert re.fullmatch(r"there is no operation \d+: never committed, or its record was swept", last)


def test_the_file_of_the_guide_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours, and the word for never."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "opwright.toml").write_text(block("toml"))
    settings = look_up({}, {}).build(Settings)
    assert (settings.keep_succeeded, settings.keep_cancelled, settings.keep_failed) == (2.0, 24.0, "never")


def test_the_variables_of_the_guide_are_the_defaults() -> None:
    """Each alone, and all together, switch on the clean-up that the page describes."""
    variables = dict(re.findall(r"export (\w+)=(\d+)", block("shell")))
    assert len(variables) == 3
    assert {clean_up(dict([one])) for one in variables.items()} == {clean_up(variables)} == {(86_400.0, 20_000, 3600.0)}

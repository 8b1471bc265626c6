import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def quick(measure: str, into: Path) -> dict[str, Any]:
    """The figures of a quick run, by their names."""
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", measure, "--into", str(into)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert measure in done.stdout
    (written,) = into.glob("*.json")
    return {figure["name"]: figure for figure in json.loads(written.read_text())["figures"]}


@pytest.mark.parametrize("measure", ["drain.sqlite.inline", "pickup.postgresql.apart"])
def test_a_quick_run_yields_the_figure_and_its_floor(measure: str, tmp_path: Path) -> None:
    figures = quick(measure, tmp_path)
    assert figures[measure]["ratio"] == figures[measure]["value"] / figures[figures[measure]["floor"]]["value"]


def test_a_command_on_sqlite_is_judged_against_a_transaction_that_waits_and_one_that_is_awaited(tmp_path: Path) -> None:
    figures = quick("command.sqlite", tmp_path)
    floors = ["floor.command.sqlite", "floor.command.sqlite.async"]
    assert [goal["goal"] for goal in figures["command.sqlite"]["goals"]] == [f"≥ 0.6 × {floor}" for floor in floors]
    assert all(figures[floor]["value"] > 0 for floor in floors)
    assert figures["command.sqlite"]["floor"] == floors[0]


def test_an_unknown_name_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--only", "speed"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "nothing is called 'speed'" in done.stderr

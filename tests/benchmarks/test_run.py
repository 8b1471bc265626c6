import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("measure", ["drain.sqlite.inline", "pickup.postgresql.apart"])
def test_a_quick_run_yields_the_figure_and_its_floor(measure: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", measure, "--into", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert measure in done.stdout
    (written,) = tmp_path.glob("*.json")
    figures = {figure["name"]: figure for figure in json.loads(written.read_text())["figures"]}
    assert figures[measure]["ratio"] == figures[measure]["value"] / figures[figures[measure]["floor"]]["value"]


def test_an_unknown_name_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--only", "speed"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "nothing is called 'speed'" in done.stderr

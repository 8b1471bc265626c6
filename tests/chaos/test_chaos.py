"""A small run with a fault of each kind: everything holds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.plan import Kind
from tests.kit.processes import ROOT


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_everything_holds_under_one_fault_of_each_kind(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OPWRIGHT_TEST_POSTGRES"}  # it is restarted
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--operations", "500", "--into", str(tmp_path)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("SEED=")
    assert "FAIL" not in done.stdout
    assert all(f": {kind}" in done.stdout for kind in Kind)

"""mypy --strict as a user would run it, on right and on wrong use of the public API."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MARK = re.compile(r"# type: ignore\[([\w-]+)\]")
ERROR = re.compile(r"^(\S+?):(\d+): error: .*\[([\w-]+)\]$", re.MULTILINE)


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What mypy says about both files, without the marks of the wrong one."""
    folder = tmp_path_factory.mktemp("typing")
    (folder / "right_use.py").write_text((HERE / "right_use.py").read_text())
    (folder / "wrong_use.py").write_text(MARK.sub("", (HERE / "wrong_use.py").read_text()))
    cache = ROOT / ".mypy_cache" / "typing-tests"
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", str(cache)]
    files = [str(folder / name) for name in ("right_use.py", "wrong_use.py")]
    done = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode in {0, 1}, done.stderr + done.stdout
    return done.stdout


def found(reported: str, name: str) -> Counter[tuple[int, str]]:
    """The lines and kinds of the errors in a file."""
    return Counter((int(line), kind) for file, line, kind in ERROR.findall(reported) if file.endswith(name))


def test_right_use_passes(reported: str) -> None:
    """Everything that the documentation shows, with the types that it promises."""
    assert "right_use.py" not in reported


def test_each_mistake_is_found_and_nothing_else(reported: str) -> None:
    """Line by line: the marked mistake, its kind, and no second error."""
    lines = (HERE / "wrong_use.py").read_text().splitlines()
    marked = Counter((number, kind) for number, line in enumerate(lines, 1) for kind in MARK.findall(line))
    assert len(marked) > 20
    assert found(reported, "wrong_use.py") == marked


def test_no_error_comes_from_our_own_files(reported: str) -> None:
    """The package is typed: a strict checker finds nothing in it, and does not call it untyped."""
    assert "import-untyped" not in reported
    assert not [line for line in reported.splitlines() if "src/opwright" in line and "error" in line]

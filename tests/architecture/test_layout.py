"""The source keeps the shape that ARCHITECTURE.md draws."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import opwright

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "opwright"
MODULES = sorted(SOURCE.rglob("*.py"))

LINES = 400
LONGER_FOR_A_REASON: dict[str, str] = {}  # path under src/opwright -> the reason

# Written in pieces, so that this file does not find itself.
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")
TEXT = {".css", ".html", ".jinja", ".js", ".md", ".py", ".sh", ".sql", ".toml"}


def test_a_folder_imports_only_rows_below_its_own() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_says_what_it_is() -> None:
    silent = [module.relative_to(SOURCE) for module in MODULES if not ast.get_docstring(ast.parse(module.read_bytes()))]
    assert not silent


def test_a_file_is_short_enough_to_read_at_once() -> None:
    lengths = {str(module.relative_to(SOURCE)): len(module.read_text().splitlines()) for module in MODULES}
    long = {path for path, length in lengths.items() if length > LINES}
    assert long == set(LONGER_FOR_A_REASON)


def test_all_names_every_public_name_once_and_in_order() -> None:
    def order(name: str) -> tuple[bool, bool, str]:
        """As ruff sorts `__all__`: constants, classes, the rest."""
        return not name.isupper(), not name[0].isupper(), name

    names = list(opwright.__all__)
    assert names == sorted(set(names), key=order)

    missing = [name for name in names if not hasattr(opwright, name)]
    assert not missing

    public = {name for name, value in vars(opwright).items() if not name.startswith("_") and not isinstance(value, ModuleType)}
    assert public <= set(names)


def test_nothing_is_left_for_later() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("src", "tests", "examples", "benchmarks")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in TEXT
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if UNFINISHED.search(line)
    ]
    assert not found

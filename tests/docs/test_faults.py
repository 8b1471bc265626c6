"""The page of faults is complete, every test that it names exists and runs, and every test of a fault stands in its row."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.docs.shown_by import ROOT, Function, ids_in, missing_tests, words_of

PAGE = ROOT / "docs" / "faults.md"
NUMBERS = [*range(1, 37), *range(38, 45), 53, 54, 58, *range(60, 75)]

HEAD = ("| Fault | What goes wrong | What Opwright does | Shown by |", "|---|---|---|---|")
ROW = re.compile(r"^\| F(\d+) \| (.*?) \| (.*?) \| (.*?) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Row:
    """One fault: its number, what goes wrong, what is done about it, and the cell that names its tests."""

    number: int
    wrong: str
    done: str
    shown_by: str


def rows_of(page: str) -> list[Row]:
    """Every fault on the page, in the order in which they stand."""
    return [Row(int(number), *cells) for number, *cells in ROW.findall(page)]


def faults_of(function: Function, module: ast.Module | None = None) -> Iterator[int]:
    """The numbers of the faults that a test says it shows, or its whole file."""
    for mark in [*function.decorator_list, *(_marks_of(module) if module else [])]:
        if isinstance(mark, ast.Call) and words_of(mark)[-1] == "fault":
            yield from (int(str(ast.literal_eval(argument)).removeprefix("F")) for argument in mark.args)


def _marks_of(module: ast.Module) -> Iterator[ast.expr]:
    for node in module.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            yield from node.value.elts if isinstance(node.value, ast.List) else [node.value]


def marked_tests() -> dict[int, list[str]]:
    """Every test that bears the marker, by the number of its fault."""
    found = defaultdict(list)
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        module = ast.parse(file.read_text(encoding="utf-8"))
        for function in (node for node in module.body if isinstance(node, Function) and node.name.startswith("test_")):
            for number in faults_of(function, module):
                found[number].append(f"{file.relative_to(ROOT)}::{function.name}")
    return found


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """The faults as the page has them now."""
    return rows_of(PAGE.read_text(encoding="utf-8"))


def test_every_fault_stands_once_and_in_order(rows: list[Row]) -> None:
    """The page has all that were listed, each a single time, and no line of its tables is passed over."""
    assert [row.number for row in rows] == NUMBERS
    faults = PAGE.read_text(encoding="utf-8").partition("## Run them")[0]
    lines = [line for line in faults.splitlines() if line.lstrip().startswith("|")]
    assert [line for line in lines if line not in HEAD and not ROW.fullmatch(line)] == []


def test_every_fault_is_told_in_words_of_its_own(rows: list[Row]) -> None:
    """No cell is empty, and no two faults are the same."""
    wrong = [row.wrong for row in rows]
    assert all(row.wrong.strip() and row.done.strip() for row in rows)
    assert sorted(wrong) == sorted(set(wrong))


def test_every_named_test_exists_and_runs(rows: list[Row]) -> None:
    """A test that the page names is defined in its file, and is neither skipped nor expected to fail."""
    named = {row.number: missing_tests(ids_in(row.shown_by), ROOT) for row in rows}
    assert {number: missing for number, missing in named.items() if missing} == {}


def test_every_test_of_a_fault_stands_in_its_row(rows: list[Row]) -> None:
    """Whoever marks a test with a fault finds it on the page."""
    named = {row.number: ids_in(row.shown_by) for row in rows}
    left_out = {number: [one for one in ids if one not in named.get(number, [])] for number, ids in marked_tests().items()}
    assert {number: ids for number, ids in left_out.items() if ids} == {}


def test_the_marker_is_read() -> None:
    """One number or several, in one marker or in more."""
    (function,) = ast.parse('@pytest.mark.fault("F41")\n@pytest.mark.fault("F4", "F07")\nasync def test(): ...\n').body
    assert isinstance(function, Function)
    assert list(faults_of(function)) == [41, 4, 7]


def test_the_slow_tests_stand_where_make_faults_looks_for_them() -> None:
    """``make test`` leaves them out, so that one in another folder would never run."""
    (folders,) = re.findall(r"-m pytest ((?:tests/\w+ )+)-m \"fault or slow\"", (ROOT / "Makefile").read_text(encoding="utf-8"))
    slow = [file for file in (ROOT / "tests").rglob("test_*.py") if "pytest.mark." + "slow" in file.read_text(encoding="utf-8")]
    assert slow
    assert {f"tests/{file.relative_to(ROOT / 'tests').parts[0]}" for file in slow} <= set(folders.split())

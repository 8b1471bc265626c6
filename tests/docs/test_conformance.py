"""The conformance page is complete, and every test that it names exists and runs."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "conformance.md"
GROUPS = {"DAM": 103, "FUS": 59, "INI": 77, "GEN": 88}
NOT_YET = "not yet"

ROW = re.compile(r"^\| ([A-Z]+-\d+) \| (.*?) \| (.*?) \|$", re.MULTILINE)
TEST_ID = re.compile(r"tests/(?:\w+/)*\w+\.py(?:::[A-Z]\w*)?::test_\w+")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Row:
    """One requirement: its name, its statement, and the cell that names its tests."""

    name: str
    statement: str
    shown_by: str


def rows_of(page: str) -> list[Row]:
    """Every requirement on the page, in the order in which they stand."""
    return [Row(*cells) for cells in ROW.findall(page)]


def ids_in(cell: str) -> list[str]:
    """The ids in the last cell of a row; none for "not yet"; ValueError for anything else."""
    if cell == NOT_YET:
        return []
    ids = [part.removeprefix("`").removesuffix("`") for part in cell.split("<br>")]
    if cell != "<br>".join(f"`{name}`" for name in ids):
        raise ValueError(f"not a list of ids in backticks: {cell}")
    if strays := [name for name in ids if not TEST_ID.fullmatch(name)]:
        raise ValueError(f"not the id of a test: {', '.join(strays)}")
    return ids


def is_left_out(decorated: Function | ast.ClassDef) -> bool:
    """Whether a decorator skips this test, or expects it to fail."""
    words = {word for decorator in decorated.decorator_list for word in words_of(decorator)}
    return not words.isdisjoint({"skip", "skipif", "skipUnless", "skipIf", "xfail", "expectedFailure"})


def words_of(decorator: ast.expr) -> list[str]:
    """The parts of a decorator's dotted name, without its arguments."""
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(target).split(".")


def defined_in(source: str) -> Iterator[str]:
    """The tests that run from a file, as `name` or `Class::name`."""
    body = ast.parse(source).body
    yield from functions_in(body)
    for node in body:
        if isinstance(node, ast.ClassDef) and not is_left_out(node):
            yield from (f"{node.name}::{name}" for name in functions_in(node.body))


def functions_in(body: Iterable[ast.stmt]) -> Iterator[str]:
    """The functions of one body that are not left out."""
    return (node.name for node in body if isinstance(node, Function) and not is_left_out(node))


def missing_tests(ids: Iterable[str], root: Path) -> list[str]:
    """Those of the ids that lead to no file, to no function in it, or to one that is left out."""
    return [name for name in ids if not exists(name, root)]


def exists(test_id: str, root: Path) -> bool:
    """Whether this id leads to a test that runs."""
    path, _, name = test_id.partition("::")
    file = root / path
    return file.is_file() and name in defined_in(file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """The requirements as the page has them now."""
    return rows_of(PAGE.read_text(encoding="utf-8"))


def test_every_requirement_stands_once_and_in_order(rows: list[Row]) -> None:
    """The page has all 327 requirements, each a single time, in the order of their numbers."""
    expected = [f"{group}-{number}" for group, last in GROUPS.items() for number in range(1, last + 1)]
    assert [row.name for row in rows] == expected
    assert len(rows) == 327


def test_each_group_stands_under_its_own_heading() -> None:
    """Each table holds the requirements of the group that its heading names, and no others."""
    _, *sections = PAGE.read_text(encoding="utf-8").split("\n## ")
    found = {"".join(takewhile(str.isupper, section)): rows_of(section) for section in sections}
    assert {group: len(rows) for group, rows in found.items()} == GROUPS
    assert all(row.name.startswith(f"{group}-") for group, rows in found.items() for row in rows)


def test_every_table_line_is_read_as_a_row() -> None:
    """No line of a table is passed over because it is written differently from the rest."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.lstrip().startswith("|")]
    heads = [line for line in lines if line in {"| Row | What must hold | Shown by |", "|---|---|---|"}]
    assert [line for line in lines if line not in heads and not ROW.fullmatch(line)] == []
    assert len(heads) == 2 * len(GROUPS)


def test_every_statement_says_something_of_its_own(rows: list[Row]) -> None:
    """No statement is empty, and no two requirements share one."""
    statements = [row.statement.strip() for row in rows]
    assert all(statements)
    assert sorted(statements) == sorted(set(statements))


def test_the_last_column_holds_only_ids_or_not_yet(rows: list[Row]) -> None:
    """A requirement is shown by tests that pytest can be given, or says that there are none yet."""
    for row in rows:
        ids_in(row.shown_by)


def test_every_named_test_exists_and_runs(rows: list[Row]) -> None:
    """A test that the page names is defined in its file, and is neither skipped nor expected to fail."""
    named = {row.name: missing_tests(ids_in(row.shown_by), ROOT) for row in rows}
    assert {name: missing for name, missing in named.items() if missing} == {}


def test_a_page_is_read_into_rows() -> None:
    """A row of a table is read, and its heading is not."""
    page = "| Row | What must hold | Shown by |\n|---|---|---|\n| DAM-1 | It works. | not yet |\n"
    assert rows_of(page) == [Row("DAM-1", "It works.", "not yet")]


def test_a_cell_is_read_into_ids() -> None:
    """Several ids stand in one cell, each in backticks, with a line break between them."""
    assert ids_in("not yet") == []
    assert ids_in("`tests/a/test_b.py::test_c`<br>`tests/test_d.py::TestE::test_f`") == [
        "tests/a/test_b.py::test_c",
        "tests/test_d.py::TestE::test_f",
    ]


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "soon",
        "tests/test_a.py::test_b",
        "`tests/test_a.py`",
        "`tests/../test_a.py::test_b`",
        "`src/test_a.py::test_b`",
        "`tests/test_a.py::helper`",
        "`tests/test_a.py::test_b`, `tests/test_a.py::test_c`",
        "not yet<br>`tests/test_a.py::test_b`",
    ],
)
def test_a_cell_that_is_neither_is_refused(cell: str) -> None:
    """Anything in the last column but "not yet" and ids in backticks is an error."""
    with pytest.raises(ValueError, match="not "):
        ids_in(cell)


SAMPLE = """
def test_plain(): ...
async def test_async(): ...
@pytest.mark.parametrize("skip", [1])
def test_parametrized(): ...
@pytest.mark.skip(reason="later")
def test_skipped(): ...
@pytest.mark.xfail
def test_failing(): ...
class TestKept:
    def test_inside(self): ...
    @pytest.mark.skipif(True, reason="later")
    def test_skipped_inside(self): ...
@pytest.mark.skip
class TestSkipped:
    def test_lost(self): ...
"""


@pytest.mark.parametrize("name", ["test_plain", "test_async", "test_parametrized", "TestKept::test_inside"])
def test_the_checker_finds_a_test_that_exists(name: str, tmp_path: Path) -> None:
    """A function of the file or of a class in it, plain or async, counts as a test."""
    assert missing_tests([sample_id(name, tmp_path)], tmp_path) == []


@pytest.mark.parametrize(
    "name",
    [
        "test_unheard_of",
        "test_inside",
        "TestKept::test_plain",
        "test_skipped",
        "test_failing",
        "TestKept::test_skipped_inside",
        "TestSkipped::test_lost",
    ],
)
def test_the_checker_notices_a_test_that_does_not_run(name: str, tmp_path: Path) -> None:
    """A test that is not there, stands elsewhere, is skipped or is expected to fail counts as missing."""
    test_id = sample_id(name, tmp_path)
    assert missing_tests([test_id], tmp_path) == [test_id]


def test_the_checker_notices_a_file_that_does_not_exist(tmp_path: Path) -> None:
    """A test in a file that is not there counts as missing."""
    assert missing_tests(["tests/test_gone.py::test_plain"], tmp_path) == ["tests/test_gone.py::test_plain"]


def sample_id(name: str, root: Path) -> str:
    """Write the sample below this root, and give the id of one of its tests."""
    file = root / "tests" / "test_sample.py"
    file.parent.mkdir()
    file.write_text(SAMPLE, encoding="utf-8")
    return f"tests/test_sample.py::{name}"

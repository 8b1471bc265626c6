"""The conformance page is complete, and every test that it names exists and runs."""

import re
from dataclasses import dataclass
from itertools import takewhile

import pytest

from tests.docs.shown_by import ROOT, ids_in, missing_tests

PAGE = ROOT / "docs" / "conformance.md"
GROUPS = {"DAM": 103, "FUS": 59, "INI": 77, "GEN": 88}

ROW = re.compile(r"^\| ([A-Z]+-\d+) \| (.*?) \| (.*?) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Row:
    """One requirement: its name, its statement, and the cell that names its tests."""

    name: str
    statement: str
    shown_by: str


def rows_of(page: str) -> list[Row]:
    """Every requirement on the page, in the order in which they stand."""
    return [Row(*cells) for cells in ROW.findall(page)]


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

"""The reader of cells that name tests can be trusted: it finds what runs, and notices what does not."""

from pathlib import Path

import pytest

from tests.docs.shown_by import ids_in, missing_tests


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

"""The numbered examples."""

import re
from pathlib import Path

import pytest

from tests.examples.kit import ROOT, run

SMALL = sorted((ROOT / "examples").glob("0*.py"))


def output(folder: Path, name: str) -> str:
    """What it prints. It is run again afterwards, as people do, over the database that it left."""
    first, again = (run(folder, str(ROOT / "examples" / name)) for _ in range(2))
    assert [(done.returncode, done.stderr) for done in (first, again)] == [(0, ""), (0, "")]
    assert len(again.stdout.splitlines()) == len(first.stdout.splitlines())
    return first.stdout


def test_hello_is_said_by_another_process(tmp_path: Path) -> None:
    said = output(tmp_path, "01_hello.py")
    submitter, worker = re.findall(r"process (\d+)", said, re.IGNORECASE)
    assert "Hello, world, from process" in said
    assert submitter != worker
    assert (tmp_path / "hello.db").is_file()


def test_what_was_rolled_back_leaves_nothing(tmp_path: Path) -> None:
    assert output(tmp_path, "02_transaction.py").splitlines() == [
        "Committed: invoice for order 1: 99.50 EUR",
        "Rolled back: the card was declined",
        "Left of it: 0 orders, 0 operations",
    ]


def test_retries_delays_priorities_and_keys(tmp_path: Path) -> None:
    said = output(tmp_path, "03_retries_and_delays.py")
    assert said.splitlines()[:-1] == [
        "The key gave the operation that was already there: True",
        "In the order in which they ran:",
        "  high priority, submitted second",
        "  low priority, submitted first",
        "  one of a kind",
        "  a second later",
        "the letter arrived with attempt 3",
    ]
    assert re.fullmatch(r"After its retry: operation \d+ failed: ConnectionError: nobody will ever answer", said.splitlines()[-1])


@pytest.mark.parametrize("example", SMALL, ids=lambda path: path.stem)
def test_a_small_example_is_small(example: Path) -> None:
    assert len(example.read_text().splitlines()) < 60

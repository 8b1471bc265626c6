"""The journal of a submitter."""

from pathlib import Path

from tests.chaos.journal import COMMITTED, INTENDS, Entry, Journal, Submitted, read, read_all


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "0.journal")
    journal.write(INTENDS, "0-1", [Submitted(1, "charge"), Submitted(2, "note")])
    journal.write(COMMITTED, "0-1")
    assert read_all(tmp_path) == [
        Entry(INTENDS, "0-1", (Submitted(1, "charge"), Submitted(2, "note"))),
        Entry(COMMITTED, "0-1"),
    ]


def test_a_line_that_a_kill_has_torn_is_none(tmp_path: Path) -> None:
    """It does not count, and spoils neither those before nor those after it."""
    path = tmp_path / "0.journal"
    Journal(path).write(COMMITTED, "0-1")
    path.write_bytes(path.read_bytes() + b'["committed", "0-')
    assert read(path) == [Entry(COMMITTED, "0-1")]
    Journal(path).write(COMMITTED, "0-3")
    assert [entry.turn for entry in read(path)] == ["0-1", "0-3"]


def test_a_journal_that_nobody_began_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path / "0.journal") == []

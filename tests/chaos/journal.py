"""What a submitter swears to: a line before each COMMIT and one after it, on the disk before it goes on."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

INTENDS, COMMITTED, ROLLED_BACK = "intends", "committed", "rolled back"
SUFFIX = ".journal"


class Submitted(NamedTuple):
    """An operation of a transaction."""

    operation: int
    kind: str


class Entry(NamedTuple):
    """A line: what happened to which transaction; with ``INTENDS`` also what it submits."""

    event: str
    turn: str
    operations: tuple[Submitted, ...] = ()


class Journal:
    """A file that is only appended to. A line that a kill has torn is as good as none, and closed by the next writer."""

    def __init__(self, path: Path) -> None:
        torn = path.exists() and not path.read_bytes().endswith(b"\n")
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        if torn:
            os.write(self._file, b"\n")

    def write(self, event: str, turn: str, operations: Sequence[Submitted] = ()) -> None:
        os.write(self._file, json.dumps([event, turn, operations]).encode() + b"\n")
        os.fsync(self._file)


def read(path: Path) -> list[Entry]:
    """What was written whole."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [entry for entry in map(_entry, lines) if entry is not None]


def read_all(folder: Path) -> list[Entry]:
    """Every journal of a folder."""
    return [entry for path in sorted(folder.glob(f"*{SUFFIX}")) for entry in read(path)]


def _entry(line: bytes) -> Entry | None:
    try:
        event, turn, operations = json.loads(line)
    except ValueError:
        return None
    return Entry(event, turn, tuple(Submitted(*one) for one in operations))

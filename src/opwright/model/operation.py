"""An operation: as it is submitted, and as people see it."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import msgspec

from opwright.model.status import Status


class OnConflict(Enum):
    """What a submit does when its key is held by an operation that has not ended."""

    FAIL = "fail"  # raise KeyTaken, which names the winner
    SKIP = "skip"  # hand out the winner's handle
    REPLACE = "replace"  # cancel the winner if nobody has begun it, else as FAIL


class NewOperation(msgspec.Struct, omit_defaults=True):
    """A submit, ready to be written. The short names are those of the JSON that the submit statement reads.

    ``due`` is an instant in microseconds; ``wait`` counts from the database's now; at most one of them is set.
    ``inputs`` and ``options`` are JSON texts.
    """

    id: int = msgspec.field(name="i")
    trigger: str = msgspec.field(name="t")
    queue: str = msgspec.field(name="q")
    inputs: str = msgspec.field(name="n")
    priority: int = msgspec.field(name="p")
    options: str | None = msgspec.field(name="o", default=None)
    submitter: str | None = msgspec.field(name="s", default=None)
    retry_of: int | None = msgspec.field(name="r", default=None)
    due: int | None = msgspec.field(name="u", default=None)
    wait: int | None = msgspec.field(name="w", default=None)
    key: str | None = msgspec.field(name="k", default=None)


class Operation(msgspec.Struct, frozen=True):
    """An operation as the view shows it. ``inputs`` and ``result`` are JSON texts; ``id`` is text in JSON."""

    id: int
    trigger: str
    status: Status
    queue: str
    priority: int
    key: str | None
    submitter: str | None
    retry_of: int | None
    attempt: int
    submitted: datetime
    due: datetime | None
    started: datetime | None
    ended: datetime | None
    host: int | None
    worker: int | None
    inputs: str
    result: str | None
    error: str | None


class Note(msgspec.Struct, frozen=True):
    """One line of an operation's log; ``kind`` is a NoteKind."""

    id: int
    at: int
    attempt: int
    kind: int
    text: str

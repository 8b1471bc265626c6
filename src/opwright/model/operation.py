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
    ``inputs`` and ``options`` are JSON texts. ``lane`` names the limit it runs under, with so many slots (``capacity``), each for
    so many microseconds (``period``) or until the end. ``after``: the operations that it follows, ``despite`` their failures.
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
    parent: int | None = msgspec.field(name="e", default=None)
    lane: str | None = msgspec.field(name="l", default=None)
    capacity: int | None = msgspec.field(name="c", default=None)
    period: int | None = msgspec.field(name="d", default=None)
    after: tuple[int, ...] | None = msgspec.field(name="f", default=None)
    despite: bool | None = msgspec.field(name="x", default=None)
    held: bool | None = msgspec.field(name="h", default=None)

    @property
    def at_once(self) -> bool:
        """Whether it is ready as soon as it is committed."""
        return self.due is None and self.wait is None and not self.held

    def __post_init__(self) -> None:
        """What has a lane or follows others is held: it is not ready at once."""
        if self.lane is not None or self.after:
            self.held = True


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
    parent: int | None
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
    """One line of an operation's log; ``kind`` is a NoteKind, ``fraction`` how far it is."""

    id: int
    at: int
    attempt: int
    kind: int
    text: str
    fraction: float | None = None

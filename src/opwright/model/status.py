"""The statuses of an operation, and the one table of moves between them.

            submit (PROCESSING at once where an idle host of the same process has a slot for it)
               │
               ▼
    ┌────── PENDING ◄───────────┐
    │          │ claim          │ retry, hand-back, takeover, wait over
    │          ▼                │
    │     PROCESSING ───────────┤
    │      │   │   └──► WAIT ───┘
    │      │   │          │
    ▼      ▼   ▼          ▼
 CANCELLED SUCCEEDED    FAILED

Nothing else decides which move is legal: the stores make moves, the state machine test holds them against this table.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Status(StrEnum):
    """What people read about an operation."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    WAIT = "WAIT"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        """Whether an operation in this status has its one outcome and never changes again."""
        return not TRANSITIONS[self]


TRANSITIONS: dict[Status, frozenset[Status]] = {
    # FAILED without having run: no live host knows the trigger, or its recoveries are used up before it began again.
    Status.PENDING: frozenset({Status.PROCESSING, Status.CANCELLED, Status.FAILED}),
    Status.PROCESSING: frozenset(
        {Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.WAIT, Status.PENDING},
    ),
    Status.WAIT: frozenset({Status.PENDING, Status.FAILED, Status.CANCELLED}),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}


class OutcomeCode(IntEnum):
    """How an outcome is kept in its row: two bytes instead of a word."""

    SUCCEEDED = 1
    FAILED = 2
    CANCELLED = 3

    @property
    def status(self) -> Status:
        """The status that people read."""
        return Status[self.name]


def may_move(old: Status, new: Status) -> bool:
    """Whether the table allows the move."""
    return new in TRANSITIONS[old]

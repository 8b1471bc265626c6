"""A worker and what passes between it and the scheduler."""

from __future__ import annotations

from enum import Enum

import msgspec


class WorkerState(Enum):
    """Where a worker stands. The three sets are disjoint and together are all live workers."""

    PENDING = "pending"  # started, not ready yet; never given an operation
    FREE = "free"  # ready, no operation assigned
    ACTIVE = "active"  # ready, with an operation


class Worker(msgspec.Struct):
    """A worker as people and the console see it.

    ``last_touched``, in microseconds: since when it is in its state, or the last sign of life since then: an operation that
    ended in it, or said something.
    """

    name: str
    pid: int | None
    state: WorkerState
    last_touched: int = msgspec.field(name="lastTouched")
    operations: tuple[int, ...] = ()
    finished: int = 0


class Task(msgspec.Struct, array_like=True, frozen=True):
    """What a worker is given: enough to run one attempt of one operation, and the token that names this claim.

    ``answers`` are the values, as JSON texts, with which it was resumed so far.
    """

    operation: int
    token: int
    attempt: int
    trigger: str
    inputs: str
    answers: tuple[str, ...] = ()


TOUCH = 0  # the kind of a remark that is a sign of life and nothing else


class Remark(msgspec.Struct, array_like=True, frozen=True):
    """What a running operation says of itself: a line of its log, or how far it is (``fraction`` from 0 to 1).

    ``kind`` is a NoteKind, or TOUCH; ``at`` microseconds by the worker's clock. Each is a sign of life.
    """

    operation: int
    token: int
    attempt: int
    kind: int
    text: str
    fraction: float | None
    at: int


class Outcome(Enum):
    """How an attempt ended, as its worker (or its death) tells it."""

    DONE = "done"
    FAILED = "failed"
    INVALID = "invalid"  # trying again cannot help: inputs that no longer fit, a result that cannot be stored
    CANCELLED = "cancelled"  # ended because it was asked to
    UNKNOWN = "unknown"  # this process does not know the trigger
    DIED = "died"  # the worker died while this operation was running in it
    RETURNED = "returned"  # recalled, or its worker died before it began
    WAIT = "wait"  # it asked to be run again later, or when it is resumed
    RETRY = "retry"  # it asked to be tried again, as after an error, and said when
    ENDED = "ended"  # its end is committed already, in a transaction of its own


class StatusUpdate(msgspec.Struct, array_like=True):
    """What a worker reports about one operation; ``begun`` and ``ended`` are microseconds by the worker's clock.

    ``pause``: seconds after which one that ends in WAIT or RETRY wants to run again. ``times``: how often in a row it may WAIT.
    Without them the host's settings hold.
    """

    operation: int
    token: int
    outcome: Outcome
    result: str | None = None
    error: str | None = None
    begun: int | None = None
    ended: int | None = None
    pause: float | None = None
    times: int | None = None

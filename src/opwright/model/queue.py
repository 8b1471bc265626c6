"""A queue as people see it."""

from __future__ import annotations

import msgspec


class QueueStanding(msgspec.Struct, frozen=True):
    """How many operations of a queue stand where. ``paused``: since when, in microseconds."""

    name: str
    ready: int
    delayed: int
    limited: int
    following: int
    running: int
    paused: int | None

"""A host: one running Opwright instance, and its lease."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from opwright.model.worker import Worker


class HostState(IntEnum):
    """Where a host stands."""

    ALIVE = 1
    DEAD = 2  # its lease lapsed and another host said so; what it held is being taken over
    STOPPED = 3  # it said good-bye


class Host(msgspec.Struct, frozen=True):
    """A host's row. Times and ``age`` (since the last renewal) are in microseconds; ``queues`` is None for all."""

    id: int
    name: str
    pid: int
    version: str
    state: HostState
    started: int
    renewed: int
    lease: int
    queues: tuple[str, ...] | None
    triggers: tuple[str, ...]
    age: int
    workers: tuple[Worker, ...] = ()  # as of the last renewal


class Registration(msgspec.Struct, frozen=True):
    """Which row is a host's own. The id alone does not say it: a database that lost its last commits may give one again."""

    id: int
    name: str
    started: int


class Renewal(msgspec.Struct, frozen=True):
    """What a renewal found: whether the host still stands, how many dead hosts there are, how many others live."""

    renewed: bool
    dead: int
    others: int

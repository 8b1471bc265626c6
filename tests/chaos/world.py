"""What is left when all is over: the journals, the application's tables, how each operation ended, which processes still run.

Opwright's own code has no part in it: plain SQL, and its tables only to see what ended and what was left behind.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import asyncpg
import psutil

from tests.chaos.journal import COMMITTED, INTENDS, ROLLED_BACK, Entry, read_all

# Where an operation stands that has not ended, and what it holds.
PLACES = {
    "ready": "true", "delayed": "true", "claimed": "true", "limited": "true", "following": "true",
    "slots": "until is null", "operation_keys": "true",
}  # fmt: skip
SUCCEEDED, FAILED, CANCELLED = 1, 2, 3


class Order(NamedTuple):
    """Written by the submitter in the transaction that submits the operation."""

    turn: str
    operation: int
    kind: str
    customer: int
    at: datetime


class Trace(NamedTuple):
    """The begin of an attempt."""

    operation: int
    kind: str
    attempt: int
    token: int
    at: datetime


class Effect(NamedTuple):
    """What an operation did in ``operation.transaction()``."""

    operation: int
    attempt: int
    token: int
    at: datetime


class Outcome(NamedTuple):
    """How an operation ended; ``result`` is the token of the attempt that succeeded."""

    status: int
    attempt: int
    result: int | None


@dataclass
class World:
    """All of it, in memory. ``own``: what Opwright submits for itself, its hand-backs."""

    journal: list[Entry] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    children: list[tuple[int, int]] = field(default_factory=list)
    returns: list[tuple[int, int]] = field(default_factory=list)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    recorded: set[int] = field(default_factory=set)
    left: dict[str, list[int]] = field(default_factory=dict)
    processes: list[str] = field(default_factory=list)

    @classmethod
    async def found(cls, url: str, folder: Path, marker: str) -> Self:
        """As it is."""
        connection = await asyncpg.connect(url)

        async def rows(what: str, table: str) -> list[Any]:
            return [tuple(row) for row in await connection.fetch(f"select {what} from {table}")]

        try:
            ends = "operation, status, attempt, case when status = 1 and result::text ~ '^\\d+$' then result::text::bigint end"
            return cls(
                journal=read_all(folder),
                orders=[Order(*row) for row in await rows("turn, operation, kind, customer, at", "orders")],
                traces=[Trace(*row) for row in await rows("operation, kind, attempt, token, at", "traces")],
                effects=[Effect(*row) for row in await rows("operation, attempt, token, at", "effects")],
                children=await rows("parent, child", "children"),
                returns=await rows("operation, hand_back", "returns"),
                outcomes={row[0]: Outcome(*row[1:]) for row in await rows(ends, "opwright.outcomes")},
                recorded={row[0] for row in await rows("id", "opwright.operations")},
                left={
                    place: [row[0] for row in await rows("operation", f"opwright.{place} where {which}")]
                    for place, which in PLACES.items()
                },
                processes=processes_of(marker),
            )
        finally:
            await connection.close()

    @cached_property
    def events(self) -> dict[str, set[str]]:
        """The transactions by what their submitters know of them."""
        events: dict[str, set[str]] = defaultdict(set)
        for entry in self.journal:
            events[entry.event].add(entry.turn)
        return events

    @cached_property
    def written(self) -> set[str]:
        """The transactions whose rows are in the database."""
        return {order.turn for order in self.orders}

    @cached_property
    def unknown(self) -> set[str]:
        """The transactions whose COMMIT had no answer: their rows tell."""
        return self.events[INTENDS] - self.events[COMMITTED] - self.events[ROLLED_BACK]

    @cached_property
    def kinds(self) -> dict[int, str]:
        """The kind of every operation that somebody has committed."""
        committed = self.events[COMMITTED] | (self.unknown & self.written)
        kinds = {
            one.operation: one.kind for entry in self.journal if entry.turn in committed for one in entry.operations
        }  # fmt: skip
        return kinds | {child: "child" for _, child in self.children}

    @cached_property
    def undone(self) -> set[int]:
        """Operations that were never committed."""
        undone = self.events[ROLLED_BACK] | (self.unknown - self.written)
        return {one.operation for entry in self.journal if entry.turn in undone for one in entry.operations}

    @cached_property
    def attempts(self) -> dict[int, list[Trace]]:
        """The traces of each operation."""
        return grouped(self.traces)

    @cached_property
    def done(self) -> dict[int, list[Effect]]:
        """The effects of each operation."""
        return grouped(self.effects)


def grouped(rows: Iterable[Any]) -> dict[int, list[Any]]:
    """By operation."""
    groups: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row.operation].append(row)
    return groups


def processes_of(marker: str) -> list[str]:
    """The processes that have the marker in their environment."""
    found, (name, _, value) = [], marker.partition("=")
    for process in psutil.process_iter(["pid", "status", "cmdline"]):
        try:
            marked, is_over = process.environ().get(name) == value, process.status() == psutil.STATUS_ZOMBIE
        except (psutil.Error, OSError):  # it may end at any moment
            continue
        if marked and not is_over:
            found.append(f"{process.pid} {' '.join(process.info['cmdline'] or [])}")
    return found

"""The seam between Opwright and a database.

A *plan* is a generator: it yields calls (a statement's name and its values), is sent the rows of each, and returns a value.
It holds the rules and touches nothing, so the same plan runs on our own engines, in SQLite's writer thread, and on a caller's
synchronous or asynchronous connection (``store/foreign``). Everything in one plan happens in one transaction.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, TypeVar

from opwright.clock import Clock
from opwright.store.statements import Dialect, Statement

T = TypeVar("T")
Row = Any  # indexable by position and by column name
Rows = Sequence[Row]


@dataclass(frozen=True, slots=True)
class Call:
    """One statement to run, by name."""

    name: str
    values: dict[str, Any]


Plan = Generator[Call, Rows, T]


def call(name: str, /, **values: Any) -> Call:
    """A call, written like one."""
    return Call(name, values)


class Lane(Enum):
    """Which connections a statement may use, so that no part can starve another.

    CLAIM alone commits without anybody waiting for the disk: a lost claim only returns its operations, and the flush of a later
    end flushes the claim before it. LEASE is apart from CONTROL, because a renewal must not wait for another statement whose
    answer never comes; so is SWEEP, because nothing else is to wait for a deletion. OWN is for transactions that a trigger
    writes in, as long as it likes.
    """

    CLIENT = "client"
    CLAIM = "claim"
    SETTLE = "settle"
    CONTROL = "control"
    LEASE = "lease"
    SWEEP = "sweep"
    OWN = "own"


class Engine(Protocol):
    """What a database must offer. Everything else about storage is written once, above this."""

    dialect: Dialect
    schema: str
    statements: dict[str, Statement]
    clock: Clock
    url: str
    crowded: bool  # another host is registered; who holds the only write lock lets go of it now and then

    async def open(self) -> None:
        """Connect, and install or check the schema. Raises ConfigurationError, StoreUnavailable."""

    async def close(self) -> None:
        """Send what is still to be sent and close every connection."""

    async def run(self, name: str, lane: Lane = Lane.CLIENT, /, **values: Any) -> Rows:
        """Run one named statement in a transaction of its own."""

    def go_ahead(self) -> bool:
        """Whether a submit may be seen before it is on disk; a flush is to follow then. Those that come soon after may not."""

    async def flush(self) -> None:
        """Return when everything that was committed before is on disk. Raises StoreUncertain."""

    async def play(self, plan: Plan[T], lane: Lane = Lane.CLIENT) -> T:
        """Run a plan in one transaction. An exception from the plan rolls it back."""

    def values(self, values: dict[str, Any]) -> dict[str, Any]:
        """What a statement is given: the values of its call, as this database takes them, and our own."""

    def abandon(self) -> None:
        """Let go of everything without the event loop, which was closed before the store was."""

    def notify(self) -> None:
        """Tell other processes, soon and at most a few hundred times a second, that there is something to look at."""

    def notify_ends(self) -> None:
        """Tell other processes, soon, that operations have ended, if any of them has lately asked for it."""

    async def ask_for_ends(self) -> None:
        """Ask other processes to tell of ends for the next half minute. Raises StoreError."""

    async def migrate(self) -> list[int]:
        """Bring the schema to this program's version; the versions that were applied."""

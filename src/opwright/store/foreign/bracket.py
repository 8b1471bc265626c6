"""What is said around a plan, so that all of it happens or nothing, and the caller's transaction outlives a failure.

A failed statement aborts a whole transaction on PostgreSQL, and on SQLite it leaves what the plan had written before. A savepoint
mends both. It is plain SQL rather than each library's own block, so that one text serves synchronous and asynchronous kinds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Bracket:
    """Statements before a plan, after it, and instead of the latter when it failed."""

    begin: tuple[str, ...]
    end: tuple[str, ...]
    undo: tuple[str, ...]


TRANSACTION = Bracket(("begin",), ("commit",), ("rollback",))
SAVEPOINT = Bracket(
    ("savepoint opwright_plan",),
    ("release savepoint opwright_plan",),
    ("rollback to savepoint opwright_plan", "release savepoint opwright_plan"),
)


def of_postgresql(*, joins: bool) -> Bracket:
    """A savepoint in the transaction that the caller has, or that the library is about to begin; else a transaction of ours."""
    return SAVEPOINT if joins else TRANSACTION


def of_sqlite(driver: Any) -> Bracket:
    """The same on SQLite. The driver begins no transaction before a savepoint, whose release would commit: so we begin it.

    ``driver`` is a connection of sqlite3 or aiosqlite.
    """
    if driver.in_transaction:
        return SAVEPOINT
    mode = getattr(driver, "autocommit", None)  # since Python 3.12; a number stands for the older way
    if mode is True or (mode is not False and driver.isolation_level is None):
        return Bracket(("begin immediate",), TRANSACTION.end, TRANSACTION.undo)
    begin = f"begin {driver.isolation_level or ''}".rstrip()  # as the caller's own first write would
    return Bracket((begin, *SAVEPOINT.begin), SAVEPOINT.end, SAVEPOINT.undo)

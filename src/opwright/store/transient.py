"""Whether an error passes: the same transaction, run again from its beginning, may well succeed."""

from __future__ import annotations

from collections.abc import Iterator

from opwright.errors import StoreBusy, StoreConflict, StoreUnavailable

# Serialization failure, deadlock, a lock that was not to be had; connection lost, too many of them, server going or read-only; a
# prepared statement that is gone, which the next connection prepares anew.
_STATES = ("40001", "40P01", "55P03", "08", "53300", "57P", "25006", "25P03", "26000")
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")


def passes(error: BaseException) -> bool:
    """Whether it, its cause, what a library has wrapped in it, or a member of the group is an error that passes."""
    return any(_passes(one) for one in _with_causes(error))


def _passes(error: BaseException) -> bool:
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""
    busy = getattr(error, "sqlite_errorname", None) or ""
    lost = getattr(error, "connection_invalidated", False) is True  # as SQLAlchemy tells it
    stale = type(error).__name__ == "InvalidCachedStatementError"  # of asyncpg: a migration has changed what it returns
    ours = isinstance(error, StoreConflict | StoreUnavailable | StoreBusy)
    return ours or lost or stale or str(state).startswith(_STATES) or str(busy).startswith(_BUSY)


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and all that it was made of, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        members = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        made_of = (*members, one.__cause__, getattr(one, "orig", None))
        waiting += [part for part in made_of if isinstance(part, BaseException)]

"""What an error of PostgreSQL or of its driver means: to the caller, to its connection, and to the others."""

from __future__ import annotations

from opwright.errors import (
    DuplicateRow,
    OpwrightError,
    RowRefused,
    StoreBusy,
    StoreConflict,
    StoreError,
    StoreStarting,
    StoreUnavailable,
    StoreUncertain,
)

try:
    import asyncpg
except ImportError:  # pragma: no cover - the extra is not installed
    asyncpg = None  # type: ignore[assignment,unused-ignore]

READ_ONLY = "25006"


def translate(error: Exception) -> StoreError:
    """The error of the driver as one of ours."""
    if isinstance(error, StoreError):
        return error
    text = f"{type(error).__name__}: {error}"
    state = getattr(error, "sqlstate", None) or ""
    if isinstance(error, asyncpg.InvalidCachedStatementError):  # a migration changed what it returns: it is planned anew
        return StoreConflict(text)
    kind = next((_KINDS[start] for start in (state, state[:3], state[:2]) if start in _KINDS), StoreError)
    if kind is StoreUncertain or not isinstance(error, asyncpg.PostgresError):
        return StoreUncertain(f"the connection to the database broke ({text.rstrip(': ')})")
    return kind(text)


def harmless(error: BaseException) -> bool:
    """Whether the connection is as good as before: a plan refused, or the server refused one statement."""
    if isinstance(error, OpwrightError):
        return True
    return isinstance(error, asyncpg.PostgresError) and not _is_gone(error.sqlstate or "")


def doubts_others(error: Exception) -> bool:
    """Whether the other connections are no better: another server takes writes now, answers get lost, or plans are stale."""
    if isinstance(error, TimeoutError | asyncpg.InvalidCachedStatementError):
        return True
    return getattr(error, "sqlstate", None) == READ_ONLY


def _is_gone(state: str) -> bool:
    """Whether the server will not use this connection again, or should not.

    08 connection, 57P server going or gone, 53 out of resources, 25006 a server that became read-only, 25P03 idle for too
    long, 0A000 a plan that a migration has made stale, 26000 a statement that a pooler has forgotten, 42P05 one whose name
    is taken because its making was broken off.
    """
    return state[:2] in ("08", "53") or state[:3] == "57P" or state in (READ_ONLY, "25P03", "0A000", "26000", "42P05")


_KINDS: dict[str, type[StoreError]] = {
    "23505": DuplicateRow,
    **dict.fromkeys(("22", "23", "54"), RowRefused),  # data, constraint, limit: the row's own fault
    **dict.fromkeys(("40001", "40P01", "42P05"), StoreConflict),
    **dict.fromkeys(("57014", "55P03"), StoreBusy),  # cancelled, or waited too long for a lock
    "57P03": StoreStarting,
    **dict.fromkeys(("08", "57P"), StoreUncertain),
    **dict.fromkeys(("53", READ_ONLY, "25P03", "0A000", "26000"), StoreUnavailable),
}

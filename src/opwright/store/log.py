"""The gateway to the log of committed commands: writing, reading what is new, settling a lost commit, trimming."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from opwright.model.items import Items
from opwright.model.log_entry import LogEntry, decode_nested, encode_nested
from opwright.store.engine import Engine, Lane, Plan, Row, call

FIRST = "0"  # the horizon of a log that was never trimmed: nothing is old enough
# Seconds for which an entry stays after its commit, whatever time it bears: readers rely on that.
SPARED = 600.0


class LogEnd(NamedTuple):
    """Where a reading has got to. ``seen``: the text of a snapshot, on SQLite a position; ``identity``: of this very database."""

    seen: str
    newest: int
    identity: str

    def leads_to(self, later: LogEnd) -> bool:
        """Whether everything between the two is in the log; not if the database was replaced, or restored, in between."""
        return self.identity == later.identity and self.newest <= later.newest


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that is no entry as this program writes them."""

    operation: int
    command: str | None
    error: Exception


@dataclass(frozen=True, slots=True)
class Window:
    """Some of the entries between two ends, in order. ``position``: of the last, to go on behind; None when there are no more."""

    entries: list[LogEntry]
    position: int | None
    broken: list[Broken]


def append(entry: LogEntry) -> Plan[None]:
    """Write an entry in the transaction that has its effects. Raises DuplicateRow if that operation was committed or given up."""
    yield call(
        "log", id=entry.id, logged_at=entry.logged_at, origin=entry.origin, command=entry.command, inputs=entry.inputs,
        items=entry.items.encode(), nested=encode_nested(entry.nested),
    )  # fmt: skip


def append_anew(entry: LogEntry) -> Plan[None]:
    """The same for a further attempt, after an earlier one was given up: its tombstone makes way, in this very transaction.

    So the id is never free, and what of the earlier attempt may still be on its way is refused as before.
    """
    yield call("exhume", id=entry.id)
    yield from append(entry)


class Log:
    """Entries are written in the transactions of commands; everything else here is for readers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def end(self) -> LogEnd:
        """The end of the log as it is now: what is committed later is behind it, whatever position it has drawn."""
        (row,) = await self._engine.run("log_end", Lane.CONTROL)
        return LogEnd(row["seen"], int(row["newest"]), row["identity"])

    async def between(self, after: LogEnd, until: LogEnd, position: int = 0, limit: int = 1000) -> Window:
        """Entries between two ends, each in one window of one reading; ``position`` is that of the window before."""
        values = {"after": after.seen, "until": until.seen, "position": position, "limit": limit}
        rows = await self._engine.run("log_between", Lane.CONTROL, **values)
        found = [_entry(row) for row in rows]
        entries = [one for one in found if isinstance(one, LogEntry)]
        broken = [one for one in found if isinstance(one, Broken)]
        return Window(entries, rows[-1]["position"] if len(rows) == limit else None, broken)

    async def committed(self, operation: int) -> bool:
        """Whether an operation whose commit was not answered is committed. If it is not, it never will be."""
        return await self._engine.play(_settled(operation))

    async def trim(self, before: int, horizon: str = FIRST, limit: int = 1000) -> tuple[int, str]:
        """Delete entries logged before a moment (microseconds); how many, and the horizon for the next time.

        What came behind the horizon is kept, however old it says it is: a reader may not have seen it yet.
        """
        (row,) = await self._engine.run("log_trim", Lane.SWEEP, before=before, horizon=horizon, limit=limit)
        return row["trimmed"], row["horizon"]


def _settled(operation: int) -> Plan[bool]:
    if (yield call("bury", id=operation)):
        return False
    (row,) = yield call("buried", id=operation)
    return not row["buried"]


def _entry(row: Row) -> LogEntry | Broken:
    try:
        items, nested = Items.decode(row["items"]), decode_nested(row["nested"])
    except ValueError as error:  # one row must not hide those around it
        return Broken(row["id"], row["command"], error)
    return LogEntry(row["id"], row["origin"], row["logged_at"], row["command"], row["inputs"], items, nested)

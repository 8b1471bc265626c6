"""One SQLite file: where it may lie, how a connection to it is set up, and who holds its write lock."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from opwright.errors import ConfigurationError, DuplicateRow, RowRefused, StoreBusy, StoreError, StoreUnavailable
from opwright.store.engine import Call, Rows
from opwright.store.statements import Statement

OLDEST = (3, 37, 0)  # STRICT tables
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph", "glusterfs", "lustre"}
LOG_PAGES = 4000  # a turn of the writer has hundreds
WRITE_LOCK_BYTE = 120  # of the -shm file: the WAL write lock

# What a batch names and what a claim picks stand here between two statements of one block: SQLite has no
# data-modifying CTEs, and one insert from JSON is cheaper than a round of Python per row.
_WORKING_TABLES = """
create temp table picked (queue text, rank integer, operation integer, errors integer, deaths integer, trigger text, lane text,
  number integer);
create temp table given (operation integer, token integer, status integer, attempt integer, begun integer, result text,
  error text, keyed integer, errors integer, deaths integer, wait integer, reason integer, queue text, rank integer,
  trigger text, kind integer, lane text, seen integer, fraction real)
"""


_decode = msgspec.json.Decoder(list[Any]).decode


def local_path(url: str) -> Path:
    """The file that a ``sqlite:///`` address names. Raises ConfigurationError for memory and for network mounts."""
    name = url.partition("://")[2].removeprefix("/")
    if not name or ":memory:" in name:
        raise ConfigurationError(f"{url!r} names no file: worker processes must be able to open it, so memory will not do")
    path = Path(name).expanduser().absolute()
    if not path.parent.is_dir():
        raise ConfigurationError(f"{url!r}: the folder {path.parent} does not exist")
    if (kind := file_system(path.resolve())) in NETWORK_FILE_SYSTEMS:
        raise ConfigurationError(f"{url!r} lies on a network mount ({kind}); SQLite's locks fail there: use a local disk")
    return path


def file_system(path: Path) -> str:
    """The type of the file system under a path, as the kernel names it; empty where that cannot be told."""
    with suppress(OSError):
        mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
        points = [(point.replace("\\040", " "), kind) for point, kind in mounts]
        inside = [(len(point), order, kind) for order, (point, kind) in enumerate(points) if path.is_relative_to(point)]
        return max(inside)[2] if inside else ""
    return ""


Kind = TypeVar("Kind", bound=sqlite3.Connection)


def connect(path: Path, *, writes: bool) -> sqlite3.Connection:
    """A connection set up for Opwright, in autocommit mode: transactions are ours to begin."""
    return connect_as(sqlite3.Connection, path, writes=writes, log_pages=LOG_PAGES)


def connect_as(kind: type[Kind], path: Path, *, writes: bool, log_pages: int) -> Kind:
    """The same, as an object of a class of one's own; a commit that finds so many pages in the log carries them over."""
    if sqlite3.sqlite_version_info < OLDEST:
        raise ConfigurationError(f"SQLite {sqlite3.sqlite_version} is too old: 3.37 or newer is needed")
    try:
        connection = sqlite3.connect(
            path, isolation_level=None, timeout=0, check_same_thread=False, cached_statements=256, factory=kind
        )
        patiently(lambda: connection.execute("pragma journal_mode = wal"), 10.0, path)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{path}: {error}") from error
    connection.row_factory = sqlite3.Row
    for pragma in ("synchronous = full", f"wal_autocheckpoint = {log_pages}", "cache_size = -65536", "temp_store = memory"):
        connection.execute(f"pragma {pragma}")
    if writes:
        connection.executescript(_WORKING_TABLES)
    return connection


def patiently(step: Any, seconds: float, path: Path) -> Any:
    """Run ``step`` again while the file is busy, at most so long. SQLite's own handler sleeps longer and is less fair."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return step()
        except sqlite3.OperationalError as error:
            if not _name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                raise
            if time.monotonic() >= deadline:
                raise StoreBusy(f"{path} was locked for {seconds:g} s by {holder(path)}; nothing was written") from error
        time.sleep(random.uniform(0.0005, 0.003))  # noqa: S311 - jitter


def holder(path: Path) -> str:
    """Who holds the write lock, in words. Read from /proc/locks: opening the -shm file ourselves would drop our own locks."""
    with suppress(OSError, ValueError):
        inode = Path(f"{path}-shm").stat().st_ino
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()
            first, last = fields[-2:]
            if fields[-3].endswith(f":{inode}") and "WRITE" in fields and int(first) <= WRITE_LOCK_BYTE <= int(last):
                return f"process {fields[-4]}"
    return "another connection"


def run_statement(connection: sqlite3.Connection, statement: Statement, values: dict[str, Any]) -> Rows:
    """Run the parts in order; the rows are those of the last part that returns any."""
    rows: Rows = []
    for part in statement.parts:
        cursor = connection.execute(part.sql, values)
        if cursor.description is not None:
            rows = _unpacked(cursor)
    return rows


def _unpacked(cursor: sqlite3.Cursor) -> Rows:
    """The rows. Those of a column ``packed`` come as JSON arrays: of rows, or of the values of a single column.

    The driver lets go of Python's lock for each row, and a busy event loop then keeps it for milliseconds. Packed, a thousand
    rows are ten.
    """
    rows = cursor.fetchall()
    if cursor.description[0][0] != "packed":
        return rows
    packed = [row for (text,) in rows for row in _decode(text)]
    return packed if packed and isinstance(packed[0], list) else [(value,) for value in packed]


def run_plan(connection: sqlite3.Connection, statements: dict[str, Statement], plan: Any, values: dict[str, Any]) -> Any:
    """Drive a plan on a connection that is inside a transaction."""
    try:
        step: Call = next(plan)
        while True:
            step = plan.send(run_statement(connection, statements[step.name], values | step.values))
    except StopIteration as end:
        return end.value


def _name(error: sqlite3.Error) -> str:
    """The name that SQLite gives an error; some errors of the driver have none."""
    return getattr(error, "sqlite_errorname", "")


def translate(error: Exception) -> Exception:
    """The error of the driver as one of ours."""
    if isinstance(error, sqlite3.IntegrityError) and "UNIQUE" in str(error):
        return DuplicateRow(str(error))
    if isinstance(error, sqlite3.IntegrityError | sqlite3.DataError):
        return RowRefused(str(error))
    trouble = ("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_READONLY")
    if isinstance(error, sqlite3.OperationalError) and _name(error).startswith(trouble):
        return StoreUnavailable(str(error))
    return StoreError(str(error)) if isinstance(error, sqlite3.Error) else error

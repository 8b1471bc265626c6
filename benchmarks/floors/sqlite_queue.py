"""Floors on SQLite: one request a commit, and claiming and ending a thousand at a time."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

from benchmarks.bench import Bench
from benchmarks.figures import Figure, measure, rate, waits
from benchmarks.floors.tables import SQLITE
from benchmarks.gaps import gap

BATCH = 1000
REQUEST = "insert into operations values (?, 1, 'nothing', 'default', '{\"number\": 1}')"
PLACE = "insert into ready values ('default', 0, ?)"
FIRST = """
select r.operation, o.trigger, o.inputs from ready r cross join operations o on o.id = r.operation
where r.queue = 'default' order by r.rank, r.operation limit ?
"""
TAKE = "delete from ready where queue = 'default' and rank = 0 and operation <= ?"
HOLD = "insert into claimed values (?, ?, 1)"
FREE = "delete from claimed where operation = ? and token = ?"
END = "insert into outcomes values (?, 1, 1, 1)"


@measure("floor.sqlite.queue")
async def sqlite_queue(bench: Bench) -> list[Figure]:
    count = bench.amount(50_000, 10_000)

    def drain(connection: sqlite3.Connection) -> float:
        _submit(connection, range(count))
        started, token = time.perf_counter(), 0
        while ids := _claim(connection, BATCH, token):
            _end(connection, ids, token)
            token += 1
        return count / (time.perf_counter() - started)

    return [rate("floor.sqlite.queue", _on_file(bench, drain))]


@measure("floor.sqlite.insert")
async def sqlite_insert(bench: Bench) -> list[Figure]:
    count = bench.amount(4000, 800)

    def insert(connection: sqlite3.Connection) -> float:
        started = time.perf_counter()
        for one in range(count):
            _submit(connection, range(one, one + 1))
        return count / (time.perf_counter() - started)

    return [rate("floor.sqlite.insert", _on_file(bench, insert))]


@measure("floor.sqlite.bulk")
async def sqlite_bulk(bench: Bench) -> list[Figure]:
    """A thousand requests a commit."""
    count = bench.amount(50_000, 10_000)

    def insert(connection: sqlite3.Connection) -> float:
        started = time.perf_counter()
        for first in range(0, count, BATCH):
            _submit(connection, range(first, first + BATCH))
        return count / (time.perf_counter() - started)

    return [rate("floor.sqlite.bulk", _on_file(bench, insert))]


@measure("floor.sqlite.pickup")
async def sqlite_pickup(bench: Bench) -> list[Figure]:
    """From the begin of an insert until the row is claimed by the same thread: two commits."""
    seconds: list[float] = []
    with bench.database("sqlite") as url, closing(_open(url)) as connection:
        for one in range(bench.amount(100, 20)):
            await gap()
            started = time.perf_counter()
            _submit(connection, range(one, one + 1))
            assert _claim(connection, 100, one)
            seconds.append(time.perf_counter() - started)
    return [waits("floor.sqlite.pickup", seconds)]


def _on_file(bench: Bench, work: Callable[[sqlite3.Connection], float]) -> float:
    with bench.database("sqlite") as url, closing(_open(url)) as connection:
        return work(connection)


def connected(url: str) -> sqlite3.Connection:
    """The file, set as Opwright sets it."""
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    for pragma in ("journal_mode = wal", "synchronous = full", "wal_autocheckpoint = 4000", "cache_size = -65536"):
        connection.execute(f"pragma {pragma}")
    return connection


def _open(url: str) -> sqlite3.Connection:
    connection = connected(url)
    connection.executescript(SQLITE)
    return connection


def _submit(connection: sqlite3.Connection, ids: range) -> None:
    connection.execute("begin immediate")
    rows = [(one,) for one in ids]
    connection.executemany(REQUEST, rows)
    connection.executemany(PLACE, rows)
    connection.execute("commit")


def _claim(connection: sqlite3.Connection, limit: int, token: int) -> list[int]:
    connection.execute("begin immediate")
    ids = [row[0] for row in connection.execute(FIRST, (limit,))]
    if ids:
        connection.execute(TAKE, (ids[-1],))
        connection.executemany(HOLD, [(one, token) for one in ids])
    connection.execute("commit")
    return ids


def _end(connection: sqlite3.Connection, ids: list[int], token: int) -> None:
    connection.execute("begin immediate")
    connection.executemany(FREE, [(one, token) for one in ids])
    connection.executemany(END, [(one,) for one in ids])
    connection.execute("commit")

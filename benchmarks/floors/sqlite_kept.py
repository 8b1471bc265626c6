"""The plain way on SQLite: one table with a status; claim a thousand, then end them, and keep the rows."""

import sqlite3
import time
from contextlib import closing

from benchmarks.bench import Bench
from benchmarks.figures import Figure, measure, rate
from benchmarks.floors.sqlite_queue import connected

BATCH = 1000
TABLE = """
create table jobs (
  id integer primary key, status integer not null, "trigger" text not null, inputs text, token integer) strict;
create index jobs_waiting on jobs (id) where status = 0;
"""
FILL = "insert into jobs values (?, 0, 'nothing', '{\"number\": 1}', null)"
FIRST = 'select id, "trigger", inputs from jobs where status = 0 order by id limit ?'
CLAIM = "update jobs set status = 1, token = ? where id = ?"
END = "update jobs set status = 2 where id = ? and token = ?"


@measure("floor.sqlite.kept")
async def sqlite_kept(bench: Bench) -> list[Figure]:
    count = bench.amount(50_000, 10_000)
    with bench.database("sqlite") as url, closing(connected(url)) as connection:
        connection.executescript(TABLE)
        connection.execute("begin immediate")
        connection.executemany(FILL, [(one,) for one in range(count)])
        connection.execute("commit")
        started, token = time.perf_counter(), 0
        while ids := _claim(connection, token):
            connection.execute("begin immediate")
            connection.executemany(END, [(one, token) for one in ids])
            connection.execute("commit")
            token += 1
        return [rate("floor.sqlite.kept", count / (time.perf_counter() - started))]


def _claim(connection: sqlite3.Connection, token: int) -> list[int]:
    connection.execute("begin immediate")
    ids = [row[0] for row in connection.execute(FIRST, (BATCH,))]
    connection.executemany(CLAIM, [(token, one) for one in ids])
    connection.execute("commit")
    return ids

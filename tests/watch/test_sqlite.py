"""The SQLite watcher sees every commit to the file, whoever made it."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from opwright import Opwright
from opwright.clock import TurnedClock
from opwright.watch.sqlite import PERIOD, REST_AFTER, REST_PERIOD, SqliteWatcher

COMMIT = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('insert into t values (1)'); c.commit()"


class Watched:
    """A file with a table, and how often the watcher reported a change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.changes = 0
        self.clock = TurnedClock()
        self.watcher = SqliteWatcher(path, self._changed, self.clock)

    def _changed(self) -> None:
        self.changes += 1

    async def look(self) -> int:
        """Look once; how many changes that reported."""
        before = self.changes
        assert await self.watcher.run_once() == PERIOD
        return self.changes - before


@pytest_asyncio.fixture
async def watched(sqlite_path: Path) -> AsyncIterator[Watched]:
    """A watcher that has looked at the file before."""
    with closing(sqlite3.connect(sqlite_path)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table t (n integer)")
    made = Watched(sqlite_path)
    await made.look()
    yield made
    await made.watcher.stop()


async def test_while_nothing_is_committed_nothing_is_reported(watched: Watched) -> None:
    """Looks are silent; a transaction that is still open, or rolled back, is no change."""
    assert [await watched.look() for _ in range(3)] == [0, 0, 0]
    with closing(sqlite3.connect(watched.path, isolation_level=None)) as connection:
        connection.execute("begin")
        connection.execute("insert into t values (1)")
        assert await watched.look() == 0
        connection.execute("rollback")
        assert await watched.look() == 0


async def test_a_file_at_rest_is_looked_at_half_as_often_until_it_changes(watched: Watched) -> None:
    """What comes alone waits 20 ms at the median; what follows it, 10."""
    watched.clock.turn(REST_AFTER + 0.1)
    assert await watched.watcher.run_once() == REST_PERIOD
    with closing(sqlite3.connect(watched.path, isolation_level=None)) as connection:
        connection.execute("insert into t values (1)")
    assert await watched.look() == 1
    watched.clock.turn(REST_AFTER - 0.1)
    assert await watched.watcher.run_once() == PERIOD


async def test_a_commit_of_a_plain_connection_is_reported_once(watched: Watched) -> None:
    """The application's own transaction, without any help from Opwright."""
    with closing(sqlite3.connect(watched.path)) as connection:
        for _ in range(3):
            connection.execute("insert into t values (1)")
            connection.commit()
            assert [await watched.look(), await watched.look()] == [1, 0]


async def test_a_commit_of_another_process_is_reported(watched: Watched) -> None:
    """Another program on the same machine."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", COMMIT, str(watched.path))
    assert await process.wait() == 0
    assert await watched.look() == 1


async def test_many_commits_between_two_looks_are_one_change(watched: Watched) -> None:
    """It carries no data: there is something to look at."""
    with closing(sqlite3.connect(watched.path, isolation_level=None)) as connection:
        for _ in range(50):
            connection.execute("insert into t values (1)")
    assert await watched.look() == 1


async def test_looking_takes_no_lock(watched: Watched) -> None:
    """It sees nothing and disturbs nobody while another connection holds the file exclusively; then it sees the change."""
    with closing(sqlite3.connect(watched.path, isolation_level=None, timeout=0)) as connection:
        connection.execute("begin exclusive")
        connection.execute("insert into t values (1)")
        assert await watched.look() == 0
        connection.execute("commit")
        assert await watched.look() == 1
        connection.execute("drop table t")


async def test_stopping_closes_the_file_and_starting_opens_it_again(watched: Watched) -> None:
    """Twice is harmless."""
    await watched.watcher.start()
    await watched.watcher.stop()
    await watched.watcher.stop()
    assert watched.watcher._connection is None
    await watched.look()
    with closing(sqlite3.connect(watched.path, isolation_level=None)) as connection:
        connection.execute("insert into t values (1)")
    assert await watched.look() == 1


@pytest.mark.parametrize("where", ["thread", "process"])
async def test_a_host_hears_of_a_submit_by_a_plain_connection(sqlite_path: Path, where: str, tmp_path: Path) -> None:
    """Committed by the application's own connection, here or in another process: begun long before the heartbeat."""
    ops = Opwright(f"sqlite:///{sqlite_path}")

    @ops.operation
    def double(number: int) -> int:
        return 2 * number

    async with ops, ops.host(pool="inline", heartbeat=3600.0) as host:
        warm = await double.submit(1)
        assert await warm.result(timeout=10) == 2
        if where == "thread":
            with closing(sqlite3.connect(sqlite_path)) as connection:
                connection.execute("create table mine (n integer)")
                connection.execute("insert into mine values (1)")
                handle = double.options(on=connection).submit(2).now()
                connection.commit()
            assert await handle.result(timeout=10) == 4
        else:
            script = tmp_path / "submit.py"
            script.write_text(
                "import sys\nfrom opwright import Opwright\n"
                "ops = Opwright(sys.argv[1])\n"
                "@ops.operation\ndef double(number: int) -> int: return 0\n"
                "print(double.submit(2).now().id)\n"
            )
            process = await asyncio.create_subprocess_exec(
                sys.executable, str(script), ops.client.url, stdout=asyncio.subprocess.PIPE
            )
            told, _ = await process.communicate()
            assert await ops.handle(int(told)).result(timeout=10) == 4
        assert host.id

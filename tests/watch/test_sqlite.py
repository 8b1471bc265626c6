"""The SQLite watcher sees every commit to the file, whoever made it."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import pytest_asyncio

from opwright import Opwright
from opwright.clock import TurnedClock
from opwright.telemetry import recorded
from opwright.watch.bell import Bell
from opwright.watch.sqlite import MISSES, PERIOD, REST, REST_AFTER, REST_PERIOD, SOON, SqliteWatcher

COMMIT = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('insert into t values (1)'); c.commit()"


class Watched:
    """A file with a table, and how often the watcher reported a change."""

    def __init__(self, path: Path, bell: Callable[[Path], Bell | None]) -> None:
        self.path = path
        self.changes = 0
        self.clock = TurnedClock()
        self.watcher = SqliteWatcher(path, self._changed, self.clock, bell)

    def _changed(self) -> None:
        self.changes += 1

    async def look(self) -> int:
        """Look once; how many changes that reported."""
        before = self.changes
        await self.watcher.run_once()
        return self.changes - before

    async def rest(self) -> None:
        """Look until there is nothing left to wait for."""
        while await self.watcher.run_once() != REST:
            pass

    def commit(self) -> None:
        """By a connection that knows nothing of the watcher."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("insert into t values (1)")


def no_bell(_: Path) -> None:
    """What another operating system has."""


@asynccontextmanager
async def watching(path: Path, bell: Callable[[Path], Bell | None]) -> AsyncIterator[Watched]:
    """A watcher that has looked at the file before."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table t (n integer)")
    made = Watched(path, bell)
    await made.look()
    yield made
    await made.watcher.stop()


@pytest_asyncio.fixture(params=[Bell.at, no_bell], ids=["bell", "no bell"])
async def watched(sqlite_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Watched]:
    """With a bell at the file's log, and without."""
    async with watching(sqlite_path, request.param) as made:
        yield made


@pytest_asyncio.fixture
async def belled(sqlite_path: Path) -> AsyncIterator[Watched]:
    """With a bell, and at rest."""
    async with watching(sqlite_path, Bell.at) as made:
        await made.rest()
        yield made


async def test_while_nothing_is_committed_nothing_is_reported(watched: Watched) -> None:
    """Looks are silent; a transaction that is still open, or rolled back, is no change."""
    assert [await watched.look() for _ in range(3)] == [0, 0, 0]
    with closing(sqlite3.connect(watched.path, isolation_level=None)) as connection:
        connection.execute("begin")
        connection.execute("insert into t values (1)")
        assert await watched.look() == 0
        connection.execute("rollback")
        assert await watched.look() == 0


async def test_without_a_bell_a_file_at_rest_is_looked_at_half_as_often_until_it_changes(sqlite_path: Path) -> None:
    """What comes alone waits 20 ms at the median; what follows it, 10."""
    async with watching(sqlite_path, no_bell) as watched:
        watched.clock.turn(REST_AFTER + 0.1)
        assert await watched.watcher.run_once() == REST_PERIOD
        watched.commit()
        assert await watched.look() == 1
        watched.clock.turn(REST_AFTER - 0.1)
        assert await watched.watcher.run_once() == PERIOD


async def test_a_commit_wakes_the_watcher_of_a_file_at_rest(belled: Watched) -> None:
    """So nobody needs to look 25 times a second at what does not change."""
    belled.commit()
    await asyncio.wait_for(belled.watcher._woken.wait(), 5)
    assert await belled.look() == 1


async def test_the_writes_of_a_busy_file_wake_nobody(belled: Watched) -> None:
    """While it changes it is looked at every 20 ms, however much is written meanwhile; the bell is heard again when it rests."""
    belled.commit()
    assert await belled.watcher.run_once() == PERIOD
    belled.watcher._woken.clear()
    for _ in range(10):
        belled.commit()
        await asyncio.sleep(0)
        assert not belled.watcher._woken.is_set()
    assert await belled.watcher.run_once() == PERIOD
    assert await belled.watcher.run_once() == 2 * PERIOD
    belled.commit()
    await asyncio.wait_for(belled.watcher._woken.wait(), 5)


async def test_what_is_written_is_looked_for_until_it_is_committed(belled: Watched) -> None:
    """The bell rings at the write to the log. The flush and the commit follow, soon or late."""
    with closing(sqlite3.connect(belled.path, isolation_level=None)) as connection:
        connection.execute("pragma cache_size = 1")
        connection.execute("begin")
        connection.executemany("insert into t values (?)", [(number,) for number in range(20_000)])  # more than the cache holds
        pauses = [await belled.watcher.run_once() for _ in range(3)]
        assert pauses == [SOON, 2 * SOON, 4 * SOON]
        before = belled.changes
        connection.execute("commit")
        assert await belled.look() == 1
        assert before == belled.changes - 1


async def test_a_broken_bell_is_taken_off(sqlite_path: Path, tmp_path: Path) -> None:
    """Where writes ring no bell, three commits are late; from then on the file is looked at all the time."""
    (other := tmp_path / "other").touch()
    with recorded() as events:
        async with watching(sqlite_path, lambda _: Bell.at(other)) as watched:
            for _ in range(MISSES):
                await watched.rest()
                watched.commit()
                assert await watched.look() == 1
            assert [name for name, _ in events] == ["watcher.deaf"]
            assert await watched.watcher.run_once() == PERIOD
            watched.clock.turn(REST_AFTER + 0.1)
            assert await watched.watcher.run_once() == REST_PERIOD


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

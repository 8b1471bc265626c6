"""SQLite: one file, one writer at a time, and a plain word where it must not lie."""

import asyncio
import re
import sqlite3
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import msgspec
import pytest

from opwright.clock import TurnedClock
from opwright.errors import ConfigurationError, StoreBusy, StoreError, StoreUnavailable
from opwright.model.status import OutcomeCode
from opwright.store import own, sqlite_file
from opwright.store.engine import Plan, call
from opwright.store.lent import LentConnection
from opwright.store.pauses import LET_GO
from opwright.store.sqlite import SqliteEngine
from opwright.store.sqlite_file import OLDEST, file_system, holder, local_path, translate
from opwright.store.statements import SQLITE, Statement, _statement, load
from opwright.store.store import Store, engine_for
from tests.contract.kit import PATIENCE, Member, OpenStore, ids, operation, places, promptly, query, submit
from tests.kit.locked_file import held


@pytest.fixture
def contract_url(sqlite_path: Path) -> str:
    """These promises are of SQLite alone."""
    return f"sqlite:///{sqlite_path}"


async def impatient(path: Path, clock: TurnedClock) -> Store:
    """A store that gives up on a locked file almost at once."""
    store = Store(SqliteEngine(f"sqlite:///{path}", clock, busy=0.02))
    await store.open()
    return store


def test_statements_need_nothing_that_the_oldest_sqlite_does_not_have() -> None:
    """3.37 is let in. A statement that it cannot read would fail on the machines that have it, and on no other."""
    newer = (
        r"->|\bunixepoch\(|\bdistinct from\b|\b(?:right|full) (?:outer )?join\b|\b(?:octet_length|concat|string_agg|jsonb\w*)\("
    )
    parts = [(name, part.sql) for name, one in load(SQLITE, "opwright").items() for part in one.parts]
    assert OLDEST == (3, 37, 0)
    assert [name for name, sql in parts if re.search(newer, sql)] == []


async def test_a_locked_file_names_the_process_that_holds_it(sqlite_path: Path, clock: TurnedClock) -> None:
    """Waiting is bounded, the error says who is to blame, and afterwards all goes on."""
    store = await impatient(sqlite_path, clock)
    with held(sqlite_path) as pid, pytest.raises(StoreBusy, match=rf"\bprocess {pid}\b"):
        await promptly(submit(store))
    await submit(store)
    assert await query(store, "select count(*) from opwright.operations") == [(1,)]
    await store.close()


async def test_a_locked_file_can_be_read(sqlite_path: Path, clock: TurnedClock) -> None:
    """Readers never wait for a writer, also not for one of another process."""
    store = await impatient(sqlite_path, clock)
    await submit(store)
    with held(sqlite_path):
        assert len(await promptly(store.operations.latest(10))) == 1
        assert (await promptly(store.queue.peek())).queues == ("default",)
    await store.close()


async def test_whoever_waits_gets_the_file_when_it_is_free(store: Store, sqlite_path: Path) -> None:
    """Within its busy time a write outlasts another process's transaction."""
    with held(sqlite_path):
        waiting = asyncio.ensure_future(submit(store))
        assert await query(store, "select count(*) from opwright.operations") == [(0,)]
        assert not waiting.done()
    (one,) = await promptly(waiting)
    assert (await places(store))["ready"] == [one]


async def steps_of_letting_go(store: Store, followers: int) -> int:
    """Hundreds of steps of SQLite's machine that it takes to see to those who follow one operation that has ended."""
    (first,) = await submit(store)
    await store.operations.submit([msgspec.structs.replace(operation(), after=(first,)) for _ in range(followers)])
    await store.queue.follow([])
    await store.operations.cancel(first, "no")
    steps: list[None] = []
    connection = store.engine._writer.connection  # type: ignore[attr-defined]
    connection.set_progress_handler(lambda: steps.append(None), 100)
    await store.queue.follow([first])
    connection.set_progress_handler(None, 0)
    return len(steps)


async def test_letting_go_costs_each_follower_the_same_however_many_there_are(store: Store) -> None:
    """Nobody else can write meanwhile, not even a lease: fifty thousand took seven minutes once."""
    few, many = await steps_of_letting_go(store, 100), await steps_of_letting_go(store, 800)
    assert many < 12 * few
    counts = await query(store, "select status, count(*) from opwright.outcomes group by status")
    assert counts == [(OutcomeCode.CANCELLED, 902)]


def test_without_a_lock_nobody_is_named(sqlite_path: Path) -> None:
    """Where nobody can be found the error stays vague rather than wrong."""
    assert holder(sqlite_path) == "another connection"


def log_size(path: Path) -> int:
    """Bytes of the write-ahead log."""
    return Path(f"{path}-wal").stat().st_size


def open_files() -> list[str]:
    """What this process holds open."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the descriptor of this very look
            found.append(str(link.readlink()))
    return found


def counter(store: Store) -> None:
    """Give this store two statements: read a number, write a number."""
    own: dict[str, Statement] = {
        name: _statement(name, text, SQLITE)
        for name, text in (
            ("read_number", "select version from opwright_migrations where name = 'number'"),
            ("write_number", "update opwright_migrations set version = :value where name = 'number'"),
        )
    }
    store.engine.statements = store.engine.statements | own


def increment() -> Plan[None]:
    """Read, then write what follows from it."""
    ((value,),) = yield call("read_number")
    yield call("write_number", value=value + 1)


async def test_read_then_write_from_two_processes_loses_nothing(store: Store, other: Store) -> None:
    """What a plan read is still true when it writes: no update is lost, none has to be repeated."""
    await query(store, "insert into opwright.migrations values (1000, 'number', 0)")

    async def count(member: Store) -> list[object]:
        counter(member)
        work = [await asyncio.gather(member.engine.play(increment()), return_exceptions=True) for _ in range(50)]
        return [answer for answers in work for answer in answers if answer is not None]

    refused = await promptly(asyncio.gather(count(store), count(other)))
    assert [answer for answers in refused for answer in answers] == []
    assert await query(store, "select version from opwright.migrations where name = 'number'") == [(1100,)]


async def test_a_plan_owns_the_write_lock_from_its_first_read(store: Store, sqlite_path: Path) -> None:
    """Nobody else can write between a plan's read and its write."""

    def intruder() -> bool:
        with closing(sqlite3.connect(sqlite_path, isolation_level=None, timeout=0)) as connection:
            try:
                connection.execute("update opwright_migrations set applied = applied")
            except sqlite3.OperationalError as error:
                return "locked" not in str(error)
        return True

    def plan() -> Plan[bool]:
        yield call("counts")
        return intruder()

    assert await store.engine.play(plan()) is False


async def test_a_commit_is_on_disk(store: Store) -> None:
    """Write-ahead log, flushed at each commit: what was answered survives a power cut."""

    def pragmas(connection: sqlite3.Connection) -> tuple[str, int]:
        journal, synchronous = (connection.execute(f"pragma {name}").fetchone()[0] for name in ("journal_mode", "synchronous"))
        return journal, synchronous

    assert isinstance(store.engine, SqliteEngine)
    assert await store.engine._hand_in(store.engine._writer, pragmas) == ("wal", 2)


async def test_a_cancelled_caller_disturbs_nobody(store: Store, host: Member) -> None:
    """Whoever stops waiting takes nothing with it: the write lands whole or not, and the others are answered."""
    new = [operation() for _ in range(20)]
    tasks = [asyncio.ensure_future(store.operations.submit([each])) for each in new]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await promptly(asyncio.gather(*tasks[1::2]))
    assert {each.id for each in new[1::2]} <= set(ids(await host.claim()))


async def test_closing_finishes_what_was_handed_in(open_store: OpenStore) -> None:
    """A close waits for the writes that were on their way."""
    first, second = await open_store(), await open_store()
    tasks = [asyncio.ensure_future(submit(first)) for _ in range(30)]
    await asyncio.sleep(0)
    await first.close()
    await promptly(asyncio.gather(*tasks))
    assert await query(second, "select count(*) from opwright.operations") == [(30,)]


# ------------------------------------------------------------------------------------------------ addresses


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///file::memory:"])
def test_memory_is_refused(url: str) -> None:
    """Worker processes could not open it, so an address of memory is refused with the reason."""
    with pytest.raises(ConfigurationError, match="memory"):
        local_path(url)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    """A typing error in the path is told at once and makes no folder."""
    with pytest.raises(ConfigurationError, match=re.escape(f"{tmp_path / 'none'} does not exist")):
        local_path(f"sqlite:///{tmp_path}/none/opwright.db")
    assert not (tmp_path / "none").exists()


async def test_a_folder_is_no_file(tmp_path: Path, clock: TurnedClock) -> None:
    """What cannot be opened is said to be unavailable, with its path."""
    with pytest.raises(StoreUnavailable, match=re.escape(str(tmp_path))):
        await SqliteEngine(f"sqlite:///{tmp_path}", clock).open()


async def test_a_file_of_something_else_is_refused(tmp_path: Path, clock: TurnedClock) -> None:
    """A file that is no database is left as it is."""
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir or Madam, " * 100)
    with pytest.raises(StoreError):
        await SqliteEngine(f"sqlite:///{path}", clock).open()
    assert path.read_text() == "Dear Sir or Madam, " * 100


def test_a_relative_path_counts_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three slashes are relative, four absolute, as SQLAlchemy writes it."""
    monkeypatch.chdir(tmp_path)
    assert local_path("sqlite:///a.db") == tmp_path / "a.db"
    assert local_path(f"sqlite:///{tmp_path}/b.db") == tmp_path / "b.db"


def test_an_address_may_name_its_driver(tmp_path: Path, clock: TurnedClock) -> None:
    """The address an application gives to SQLAlchemy names the same file here."""
    engine = engine_for(f"sqlite+aiosqlite:///{tmp_path}/a.db", clock)
    assert isinstance(engine, SqliteEngine)
    assert engine.path == tmp_path / "a.db"


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
tmpfs /scratch tmpfs rw 0 0
server:/export /mnt/share nfs4 rw 0 0
/dev/sdb1 /mnt/share/local ext4 rw 0 0
systemd-1 /auto autofs rw 0 0
server:/auto /auto nfs rw 0 0
//server/data /mnt/with\\040space cifs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/a.db", "ext4"),
        ("/scratch/a.db", "tmpfs"),
        ("/mnt/share/a.db", "nfs4"),
        ("/mnt/share/local/a.db", "ext4"),
        ("/mnt/shared.db", "ext4"),
        ("/auto/a.db", "nfs"),
        ("/mnt/with space/a.db", "cifs"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(monkeypatch: pytest.MonkeyPatch, path: str, kind: str) -> None:
    """The deepest mount point above the path counts; of several on one point, the last."""
    monkeypatch.setattr(Path, "read_text", lambda _: MOUNTS)
    assert file_system(Path(path)) == kind


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "fuse.sshfs", "9p"])
def test_a_network_mount_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """SQLite's locks fail over the network, so the address is refused by name."""
    monkeypatch.setattr(sqlite_file, "file_system", lambda _: kind)
    with pytest.raises(ConfigurationError, match=f"network mount .{kind}."):
        local_path(f"sqlite:///{tmp_path}/a.db")


def test_a_link_hides_no_network_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is where the file would lie, not how one gets there."""
    (tmp_path / "share").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "share")
    mounts = f"/dev/sda1 / ext4 rw 0 0\nserver:/export {tmp_path.resolve()}/share nfs4 rw 0 0\n"
    monkeypatch.setattr(Path, "read_text", lambda _: mounts)
    with pytest.raises(ConfigurationError, match="network mount"):
        local_path(f"sqlite:///{tmp_path}/link/a.db")


def test_where_mounts_cannot_be_read_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without /proc nobody can tell, and a guess would lock people out."""

    def fail(_: Path) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", fail)
    assert file_system(Path("/home/a.db")) == ""


@pytest.mark.parametrize(
    "name", ["SQLITE_IOERR", "SQLITE_IOERR_WRITE", "SQLITE_FULL", "SQLITE_CANTOPEN", "SQLITE_CANTOPEN_ISDIR"]
)
def test_a_disk_that_fails_means_unavailable(name: str) -> None:
    """Trouble with the disk may pass, whatever its finer name."""
    error = sqlite3.OperationalError("trouble")
    error.sqlite_errorname = name
    assert isinstance(translate(error), StoreUnavailable)


async def test_the_event_loop_goes_on_while_a_block_commits(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the disk takes."""
    on_disk, commit = threading.Event(), LentConnection.commit

    def slowly(connection: LentConnection) -> None:
        assert on_disk.wait(PATIENCE)
        commit(connection)

    monkeypatch.setattr(LentConnection, "commit", slowly, raising=False)
    async with own.transaction(store.engine) as connection:
        connection.execute("create table notes (text text)")
        asyncio.get_running_loop().call_later(0.01, on_disk.set)
    assert await query(store, "select count(*) from notes") == [(0,)]


async def test_a_block_leaves_the_file_to_another_host(store: Store) -> None:
    """However short it was."""
    assert isinstance(store.engine, SqliteEngine)
    store.engine.crowded = True
    begun = time.monotonic()
    async with own.transaction(store.engine):
        pass
    until = store.engine.pauses.until
    assert until > begun + LET_GO
    async with own.transaction(store.engine):
        assert time.monotonic() >= until
    assert store.engine.pauses.until > until + LET_GO


async def test_the_log_of_blocks_stays_small(store: Store, sqlite_path: Path) -> None:
    """A file that grows is slower to flush."""
    for number in range(40):
        async with own.transaction(store.engine) as connection:
            connection.execute("create table if not exists pictures (number integer primary key, picture blob)")
            connection.execute("insert into pictures values (?, zeroblob(120000))", (number,))
    assert log_size(sqlite_path) < 1100 * 4096


async def test_a_block_whose_commit_fails_says_why_and_leaves_nothing(store: Store) -> None:
    """Also to the next block."""

    async def block() -> None:
        async with own.transaction(store.engine) as connection:
            connection.execute("create table owners (id integer primary key)")
            connection.execute("create table pets (owner integer references owners (id) deferrable initially deferred)")
            connection.execute("commit")
            connection.execute("pragma foreign_keys = on")
            connection.execute("begin immediate")
            connection.execute("insert into pets values (7)")

    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        await block()
    async with own.transaction(store.engine) as connection:
        assert connection.execute("select count(*) from pets").fetchone()[0] == 0


async def test_a_block_commits_though_the_store_is_closed_meanwhile(sqlite_path: Path, clock: TurnedClock) -> None:
    """Its connection is its own."""
    store = Store(engine_for(f"sqlite:///{sqlite_path}", clock))
    await store.open()
    async with own.transaction(store.engine) as connection:
        connection.execute("create table notes (text text)")
        await store.close()
    with closing(sqlite3.connect(sqlite_path)) as reader:
        assert reader.execute("select count(*) from notes").fetchone() == (0,)


@pytest.mark.fault("F74")
async def test_files_are_not_left_open(sqlite_path: Path, clock: TurnedClock) -> None:
    """A closed store holds no descriptor of its file, nor of anything else."""
    before = open_files()
    store = Store(engine_for(f"sqlite:///{sqlite_path}", clock))
    await store.open()
    await submit(store)
    async with own.transaction(store.engine) as connection:
        connection.execute("create table notes (text text)")
    await store.close()
    assert sorted(set(open_files()) - set(before)) == []

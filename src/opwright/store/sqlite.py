"""The SQLite engine: one writer thread with group commit, one reader thread."""

from __future__ import annotations

import asyncio
import json
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from opwright.clock import Clock
from opwright.errors import StoreUnavailable
from opwright.store.committer import Committer
from opwright.store.engine import Lane, Plan, Rows, call
from opwright.store.lent import LentConnection
from opwright.store.line import Line
from opwright.store.migrations import migrations, missing
from opwright.store.pauses import Pauses
from opwright.store.promptness import promptly
from opwright.store.sqlite_file import connect, local_path, patiently, run_plan, translate
from opwright.store.statements import SQLITE, load

T = TypeVar("T")
MOST_JOBS_A_TURN = 64
_MIGRATIONS_TABLE = """create table if not exists {prefix}migrations
  (version integer primary key, name text not null, applied integer not null) strict"""


@dataclass(slots=True)
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


class _Thread(threading.Thread):
    """A thread that owns a connection and works off jobs in turns; a turn of the writer is one transaction."""

    def __init__(self, engine: SqliteEngine, *, writes: bool) -> None:
        super().__init__(name=f"opwright sqlite {'writer' if writes else 'reader'}", daemon=True)
        self.jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._engine = engine
        self._writes = writes
        self.connection = connect(engine.path, writes=writes)

    def run(self) -> None:
        open_for_business = True
        while open_for_business:
            jobs, open_for_business = self._gather()
            if jobs:
                self._turn(jobs)
                self._deliver(jobs)
                if self._engine.crowded and self._writes:
                    time.sleep(0.001)  # SQLite's lock is unfair: without it another host may starve and lose its lease
        self.connection.close()

    def stop(self) -> None:
        """End after what was handed in."""
        self.jobs.put(None)

    def _gather(self) -> tuple[list[_Job], bool]:
        """What waits, at least one job. Jobs of one turn share a commit: that is the group commit."""
        jobs: list[_Job] = []
        job = self.jobs.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == MOST_JOBS_A_TURN:
                return jobs, True
            try:
                job = self.jobs.get_nowait()
            except queue.Empty:
                return jobs, True
        return jobs, False

    def _turn(self, jobs: list[_Job]) -> None:
        if not self._writes:
            for job in jobs:
                self._do(job, self._patient_read)
            return
        try:
            self._begin()
            if len(jobs) == 1:
                self._do_alone(jobs[0])
            else:
                for job in jobs:
                    self._do_apart(job)
            self.connection.execute("commit")
        except Exception as error:  # noqa: BLE001 - told to everyone who shared the commit
            self._undo()
            for job in jobs:
                job.error = job.error or translate(error)

    def _begin(self) -> None:
        self._engine.writer_waits = True
        try:
            patiently(lambda: self.connection.execute("begin immediate"), self._engine.busy, self._engine.path)
        finally:
            self._engine.writer_waits = False

    def _do_alone(self, job: _Job) -> None:
        """A job without neighbours needs no savepoint."""
        self._do(job, lambda job: job.work(self.connection))
        if job.error is not None:
            raise job.error

    def _do_apart(self, job: _Job) -> None:
        """A job that fails takes nothing of its neighbours with it."""
        self.connection.execute("savepoint job")
        self._do(job, lambda job: job.work(self.connection))
        if not self.connection.in_transaction:  # a full disk rolls back everything, not the statement alone
            raise job.error or StoreUnavailable("SQLite rolled the transaction back")
        if job.error is not None:
            self.connection.execute("rollback to job")
        self.connection.execute("release job")

    def _patient_read(self, job: _Job) -> Any:
        return patiently(lambda: job.work(self.connection), self._engine.busy, self._engine.path)

    def _do(self, job: _Job, work: Callable[[_Job], Any]) -> None:
        try:
            job.result = work(job)
        except Exception as error:  # noqa: BLE001 - handed to whoever awaits the job
            job.error = translate(error)

    def _undo(self) -> None:
        with suppress(sqlite3.Error):
            if self.connection.in_transaction:
                self.connection.execute("rollback")

    def _deliver(self, jobs: list[_Job]) -> None:
        with suppress(RuntimeError):  # the loop has closed: nobody waits any more
            self._engine.loop.call_soon_threadsafe(_settle, jobs)


def _settle(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)


class SqliteEngine:
    """One SQLite file, seen from one event loop of one process."""

    dialect = SQLITE

    def __init__(self, url: str, clock: Clock, schema: str = "opwright", *, busy: float = 5.0) -> None:
        self.url = url
        self.clock = clock
        self.schema = schema
        self.busy = busy
        self.path = local_path(url)
        self.statements = load(SQLITE, schema)
        self.own_turn = Line()  # transactions that triggers write in, one after the other
        self.writer_waits = False  # for a block of a caller's to end
        self.pauses = Pauses()  # between those
        self._committer: Committer | None = None
        self._spare: LentConnection | None = None
        self.crowded = False  # another host is registered: let go between turns
        self.loop: asyncio.AbstractEventLoop
        self._writer: _Thread | None = None
        self._reader: _Thread | None = None

    async def open(self) -> None:
        """Open the file, make it and its tables when they are missing, bring an older schema up to date."""
        self.loop = asyncio.get_running_loop()
        try:
            self._writer = await asyncio.to_thread(_Thread, self, writes=True)
            self._writer.start()
            self._reader = await asyncio.to_thread(_Thread, self, writes=False)
            self._reader.start()
            await self.migrate()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish what was handed in and close the file."""
        for thread in self._dismissed():
            await asyncio.to_thread(thread.join)

    def abandon(self) -> None:
        """End the threads."""
        self._dismissed()

    def _dismissed(self) -> list[threading.Thread]:
        """The threads, told to end."""
        self._close_spare()
        threads = [thread for thread in (self._writer, self._reader, self._committer) if thread is not None]
        self._writer = self._reader = self._committer = None
        for thread in threads:
            thread.stop()
        return list(threads)

    async def commit(self, connection: sqlite3.Connection) -> None:
        """Commit a block of a caller's, without keeping the event loop waiting for the disk. Raises what the driver does."""
        if self._writer is None:  # closed meanwhile
            await asyncio.to_thread(connection.commit)
            return
        if self._committer is None:
            self._committer = Committer()
            self._committer.start()
        await self._committer.commit(connection)

    def spare(self) -> LentConnection | None:
        """A connection for a block of a caller's, as good as new."""
        spare, self._spare = self._spare, None
        return spare

    def give_back(self, connection: LentConnection) -> None:
        """Keep the connection of a block that was committed, if it left nothing behind that outlives a transaction."""
        if self._writer is None or self._spare is not None or not connection.restored():
            connection.close()
        else:
            self._spare = connection

    def _close_spare(self) -> None:
        if (spare := self.spare()) is not None:
            spare.close()

    async def run(self, name: str, lane: Lane = Lane.CLIENT, /, **values: Any) -> Rows:
        """Run one named statement. There is one writer, so lanes make no difference here."""
        del lane
        thread = self._reader if self.statements[name].reads_only else self._writer
        plan_values = self.values(values)
        return await self._hand_in(thread, lambda connection: run_plan(connection, self.statements, _one(name), plan_values))

    def go_ahead(self) -> bool:
        """Nobody sees anything here before it is on disk."""
        return False

    async def flush(self) -> None:
        """Nothing to flush, as above."""

    async def play(self, plan: Plan[T], lane: Lane = Lane.CLIENT) -> T:
        """Run a plan in one transaction of the writer."""
        del lane
        values = self.values({})
        work = lambda connection: run_plan(connection, self.statements, _encoded(plan), values)  # noqa: E731
        return await self._hand_in(self._writer, work)

    def notify(self) -> None:
        """Nothing to send: other processes see the file change (``watch/sqlite.py``)."""

    def notify_ends(self) -> None:
        """Nothing to send, as above."""

    async def ask_for_ends(self) -> None:
        """Nobody to ask, as above."""

    async def migrate(self) -> list[int]:
        """Apply what is missing, in one transaction under the write lock."""
        return await self._hand_in(self._writer, self._migrate)

    def _migrate(self, connection: sqlite3.Connection) -> list[int]:
        prefix = self.dialect.schema_text(self.schema)
        connection.execute(_MIGRATIONS_TABLE.format(prefix=prefix))
        applied = {row[0] for row in connection.execute(f"select version from {prefix}migrations")}
        steps = missing(migrations(SQLITE, self.schema), applied, upgrade=True)
        for step in steps:
            for statement in step.statements:
                connection.execute(statement)
            record = f"insert into {prefix}migrations values (?, ?, ?)"
            connection.execute(record, (step.version, step.name, self.clock.now()))
        return [step.version for step in steps]

    def values(self, values: dict[str, Any]) -> dict[str, Any]:
        """What a statement is given: the values of its call, as this database takes them, and our own."""
        return {"now": self.clock.stamp()} | _flat(values)

    async def _hand_in(self, thread: _Thread | None, work: Callable[[sqlite3.Connection], T]) -> T:
        if thread is None:
            raise StoreUnavailable(f"{self.path} is not open: use `async with ops:` or start a host")
        future: asyncio.Future[T] = self.loop.create_future()
        with promptly:
            thread.jobs.put(_Job(work, future))
            return await future


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """SQLite has no arrays: a list travels as JSON text."""
    return {name: json.dumps(value) if isinstance(value, list) else value for name, value in values.items()}


def _one(name: str) -> Plan[Rows]:
    return (yield call(name))


def _encoded(plan: Plan[T]) -> Plan[T]:
    """The plan with its lists made flat."""
    try:
        step = next(plan)
        while True:
            step = plan.send((yield call(step.name, **_flat(step.values))))
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]

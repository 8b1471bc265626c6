"""What operators ask: pages of operations, what waits for whom, and what a database looks like before anything is changed."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from opwright.errors import OperationNotFound, StoreError
from opwright.model.claim import DelayReason
from opwright.model.operation import Operation
from opwright.model.options import Options
from opwright.model.status import OutcomeCode, Status
from opwright.store.engine import Engine, Lane, Row
from opwright.store.migrations import Migration, migrations
from opwright.store.operations import operation_of
from opwright.store.postgresql import PostgresEngine
from opwright.store.postgresql_errors import translate as postgres_error
from opwright.store.sqlite import SqliteEngine
from opwright.store.sqlite_file import translate as sqlite_error

LAST = 2**63 - 1
_UNHAPPY = {Status.FAILED: OutcomeCode.FAILED, Status.CANCELLED: OutcomeCode.CANCELLED}
_LOOK = """
select current_setting('server_version') as version, pg_backend_pid() as pid, pg_is_in_recovery() as standby,
  has_database_privilege(current_database(), 'create') as may_install,
  to_regclass(quote_ident($1) || '.migrations') is not null as installed
"""
_NOW = "select cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)"


class Standing(NamedTuple):
    """What the view leaves out about one operation. Times are microseconds.

    ``limited``: it waits for a slot of its lane. ``remaining``: how many that it follows have not ended; None when it is not
    held back by any. ``lapsed``: waits in a row that nobody answered; ``answers`` are JSON texts, the oldest first.
    """

    options: Options
    reason: DelayReason | None
    updated: int | None
    cancel_asked: int | None
    host_name: str | None
    lane: str | None
    capacity: int | None
    period: int | None
    limited: bool
    remaining: int | None
    despite: bool
    lapsed: int
    answers: tuple[str, ...]


class Relative(NamedTuple):
    """Another operation that has to do with this one. Without trigger and status: its record was swept, or never came to be."""

    id: int
    trigger: str | None
    status: Status | None


class Holder(NamedTuple):
    """Who holds a slot of a lane; ``until``: the slot is free from then on, in microseconds."""

    holder: Relative
    until: int | None


class Running(NamedTuple):
    """What a host holds; ``begun`` in microseconds, known of what has outlived a renewal."""

    operation: int
    trigger: str
    begun: int | None


class ReadyWork(NamedTuple):
    """How many operations of a trigger are ready in a queue, and the oldest of them."""

    queue: str
    trigger: str
    operations: int
    oldest: int


class Listing:
    """Pages of operations, for people."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def page(
        self, limit: int, *, status: Status | None = None, trigger: str | None = None, before: int | None = None
    ) -> list[Operation]:
        """A page of operations; ``before`` is the id of the last one of the page before.

        The newest come first; of FAILED and of CANCELLED the last to end.
        """
        values: dict[str, Any] = {"trigger": trigger, "limit": limit, "before": LAST if before is None else before}
        if status in _UNHAPPY:
            rows = await self._engine.run("listed_unhappy", status=int(_UNHAPPY[status]), **values)
        else:
            rows = await self._engine.run("listed" if status is None else f"listed_{status.value.lower()}", **values)
        return [operation_of(row) for row in rows]

    async def standing(self, operation: int) -> Standing:
        """The rest of what is known about one operation. Raises OperationNotFound."""
        rows = await self._engine.run("standing", operation=operation)
        if not rows:
            raise OperationNotFound(f"there is no operation {operation}: never committed, or its record was swept")
        row = rows[0]
        return Standing(
            Options() if row["options"] is None else msgspec.json.decode(row["options"], type=Options),
            None if row["reason"] is None else DelayReason(row["reason"]),
            row["updated"], row["cancel_asked"], row["host_name"], row["lane"], row["capacity"], row["period"],
            bool(row["limited"]), row["remaining"], bool(row["despite"]), row["lapsed"] or 0,
            msgspec.json.decode(row["answers"] or "[]", type=tuple[str, ...]),
        )  # fmt: skip

    async def children(self, operation: int, limit: int) -> list[Relative]:
        """What was submitted while an operation ran, the oldest first."""
        return [_relative(row) for row in await self._engine.run("listed_children", operation=operation, limit=limit)]

    async def predecessors(self, operation: int, limit: int) -> list[Relative]:
        """What an operation follows."""
        return [_relative(row) for row in await self._engine.run("listed_predecessors", operation=operation, limit=limit)]

    async def holders(self, lane: str) -> list[Holder]:
        """Who holds the slots of a lane."""
        return [Holder(_relative(row), row["until"]) for row in await self._engine.run("holders", lane=lane)]

    async def running(self) -> list[Running]:
        """What hosts hold and have given to workers."""
        return [Running(*row) for row in await self._engine.run("running")]

    async def retried(self) -> set[int]:
        """Every operation that has been submitted once more."""
        return {row["operation"] for row in await self._engine.run("retried")}

    async def leaked_slots(self) -> list[tuple[str, int]]:
        """Lane and operation of slots that are taken by what has ended: there must be none."""
        return [(row["lane"], row["operation"]) for row in await self._engine.run("leaked_slots")]

    async def ready_work(self) -> list[ReadyWork]:
        """What is ready, by queue and trigger."""
        return [ReadyWork(*row) for row in await self._engine.run("ready_work")]


def _relative(row: Row) -> Relative:
    return Relative(row["id"], row["trigger"], None if row["status"] is None else Status(row["status"]))


@dataclass(frozen=True, slots=True)
class Survey:
    """A database as it is found: nothing in it was changed, and nothing made.

    ``ahead``: microseconds by which its clock is ahead of this machine's; the answer may be wrong by ``doubt``.
    """

    server: str
    known: tuple[Migration, ...]
    applied: frozenset[int] = frozenset()
    exists: bool = True
    may_install: bool = True
    standby: bool = False
    pooler: bool = False
    ahead: int = 0
    doubt: int = 0

    @property
    def missing(self) -> list[Migration]:
        """Migrations that this program knows and the database lacks."""
        return [step for step in self.known if step.version not in self.applied]

    @property
    def too_new(self) -> bool:
        """Whether a newer program has migrated it."""
        return max(self.applied, default=0) > self.known[-1].version


async def survey(engine: Engine) -> Survey:
    """Look at a database without opening it for work. Raises StoreError, StoreUnavailable."""
    if isinstance(engine, PostgresEngine):
        return await _survey_postgresql(engine)
    if isinstance(engine, SqliteEngine):
        return await asyncio.to_thread(_survey_sqlite, engine)
    raise TypeError(f"{type(engine).__name__} cannot be surveyed")


async def _survey_postgresql(engine: PostgresEngine) -> Survey:
    try:
        raw = (await engine.connect(Lane.CONTROL)).raw
        try:
            async with raw.transaction():  # behind PgBouncer one question must meet one server
                row = await raw.fetchrow(_LOOK, engine.schema)
                versions = await raw.fetch(f"select version from {engine.schema}.migrations") if row["installed"] else []
                pooler = raw.get_server_pid() != row["pid"]  # a pooler makes up the number that it gives its clients
                asked, theirs, answered = engine.clock.now(), await raw.fetchval(_NOW), engine.clock.now()
        finally:
            await raw.close(timeout=2)
    except Exception as error:
        raise postgres_error(error) from error
    return Survey(
        f"PostgreSQL {row['version'].split()[0]}",
        migrations(engine.dialect, engine.schema),
        frozenset(one[0] for one in versions),
        may_install=row["may_install"], standby=row["standby"], pooler=pooler,
        ahead=theirs - (asked + answered) // 2, doubt=(answered - asked) // 2,
    )  # fmt: skip


def _survey_sqlite(engine: SqliteEngine) -> Survey:
    server, known = f"SQLite {sqlite3.sqlite_version}", migrations(engine.dialect, engine.schema)
    exists = engine.path.exists()
    may_write = os.access(engine.path if exists else engine.path.parent, os.W_OK)
    if not exists:
        return Survey(server, known, exists=False, may_install=may_write)
    table = f"{engine.dialect.schema_text(engine.schema)}migrations"
    try:
        with closing(sqlite3.connect(f"{engine.path.as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute("select 1 from sqlite_master where name = ?", [table]).fetchall()
            versions = connection.execute(f"select version from {table}").fetchall() if found else []
    except sqlite3.Error as error:
        raise StoreError(f"{engine.path}: {sqlite_error(error)}") from error
    return Survey(server, known, frozenset(row[0] for row in versions), may_install=may_write)

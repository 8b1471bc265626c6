"""The disk is full, or statements take too long: what could not be written is kept and written later."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from opwright.errors import StoreBusy, StoreUnavailable
from opwright.scheduler import settler
from opwright.store import postgresql
from opwright.store.engine import Lane
from opwright.store.postgresql import PostgresEngine
from tests.kit.application import Application
from tests.kit.processes import HostProcess
from tests.kit.tables import ALIVE, Tables
from tests.kit.waiting import eventually, stays

MANY = 60


@pytest.fixture
def database_url(postgres_database: str) -> str:
    """PostgreSQL; what SQLite does stands in test_sqlite_file.py."""
    return postgres_database


@asynccontextmanager
async def refusing(tables: Tables, table: str, body: str) -> AsyncIterator[None]:
    """During the block an insert into a table of Opwright's does this."""
    await tables.rows(f"create function refused() returns trigger language plpgsql as $$ begin {body} return new; end $$")
    await tables.rows(f"create trigger refusal before insert on opwright.{table} for each statement execute function refused()")
    try:
        yield
    finally:
        await tables.rows(f"drop trigger refusal on opwright.{table}")
        await tables.rows("drop function refused")


FULL = "raise exception 'could not extend file: No space left on device' using errcode = '53100';"


@pytest.mark.fault("F40")
async def test_what_ends_while_the_disk_is_full_is_written_when_there_is_room(
    application: Application, tables: Tables, tmp_path: Path
) -> None:
    """The batch is kept and tried again; each operation ran once and ends once."""
    with HostProcess(tables.url, tmp_path, workers=1, lease=4, renew=0.5, heartbeat=0.5) as host:
        await host.ready()
        async with application.ops:
            async with refusing(tables, "outcomes", FULL):
                handles = await application.double.submit_many([(number,) for number in range(MANY)])
                await host.event("outage.began")
                assert await tables.count("outcomes") == 0
            assert [await handle.result(20) for handle in handles] == [2 * number for number in range(MANY)]
        await host.event("outage.ended")
        assert host.log().count(" ERROR ") == 0
        assert await tables.hosts() == {host.id: ALIVE}
    assert await tables.attempts() == {(1, 1): MANY}


@pytest.mark.fault("F40")
async def test_nothing_more_is_claimed_while_ends_cannot_be_written(
    application: Application, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or else memory would fill with what the database does not take."""
    monkeypatch.setattr(settler, "MOST_UNWRITTEN", 20)
    async with application.ops, application.ops.host(pool="inline", slots=5, heartbeat=0.1) as host:
        async with refusing(tables, "outcomes", FULL):
            handles = await application.double.submit_many([(number,) for number in range(2000)])
            await eventually(lambda: host._settler.backlog > 20)

            async def left() -> bool:
                return await tables.count("ready") > 0

            await stays(left, 1.5)
            assert host._settler.backlog < 1000
        assert [await handle.result(20) for handle in handles] == [2 * number for number in range(2000)]


@pytest.mark.fault("F40")
async def test_a_submit_that_the_disk_has_no_room_for_says_so(application: Application, tables: Tables) -> None:
    """Nothing is stored, and the next one is as good as ever."""
    async with application.ops:
        async with refusing(tables, "operations", FULL):
            with pytest.raises(StoreUnavailable, match="No space left"):
                await application.double.submit(1)
        handle = await application.double.submit(2)
    assert await tables.column("select id from opwright.operations") == [handle.id]


@pytest.mark.fault("F34", "F40")
async def test_statements_that_the_server_cancels_are_tried_again(
    application: Application, tables: Tables, tmp_path: Path
) -> None:
    """A `statement_timeout` inside a batch of ends: the batch is kept, whole."""
    with HostProcess(tables.url, tmp_path, workers=1, lease=4, renew=0.5, heartbeat=0.5) as host:
        await host.ready()
        async with application.ops:
            async with refusing(tables, "outcomes", "raise exception 'canceling statement' using errcode = 'query_canceled';"):
                handles = await application.double.submit_many([(number,) for number in range(MANY)])
                await host.event("outage.began")
            assert [await handle.result(20) for handle in handles] == [2 * number for number in range(MANY)]
        assert host.log().count(" ERROR ") == 0
    assert await tables.attempts() == {(1, 1): MANY}


@pytest.mark.fault("F34")
async def test_a_statement_that_waits_for_a_lock_is_cancelled_by_the_server(
    application: Application, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every statement of ours has a limit, on the server's side too; the transaction of a caller has none."""
    async with application.ops:
        engine = (await application.ops.client.store()).engine
        assert isinstance(engine, PostgresEngine)
        # Of the connections that are made from now on: what it takes to open a database may take longer.
        monkeypatch.setitem(postgresql._SETTINGS, "statement_timeout", "300ms")
        engine._lane(Lane.CLIENT).renew()
        async with engine.transaction() as raw:
            await raw.execute("lock table opwright.operations")
            await raw.execute("select pg_sleep(0.4)")
            with pytest.raises(StoreBusy):
                await application.double.submit(1)
    assert await tables.count("operations") == 0


@pytest.mark.fault("F34")
async def test_a_transaction_that_its_program_has_forgotten_is_ended(application: Application, tables: Tables) -> None:
    """A host that is frozen between two statements must not keep its locks; the server's own limit sees to it."""
    async with application.ops:
        engine = (await application.ops.client.store()).engine
        assert isinstance(engine, PostgresEngine)
        for lane in Lane:
            async with engine._lane(lane).connection() as connection:
                limits = {
                    name: await connection.raw.fetchval("select current_setting($1)", name)
                    for name in ("statement_timeout", "idle_in_transaction_session_timeout", "tcp_user_timeout")
                }
                own = lane is Lane.OWN
                assert limits["statement_timeout"] == limits["idle_in_transaction_session_timeout"] == ("0" if own else "30s")
                assert limits["tcp_user_timeout"] not in {"0", ""}

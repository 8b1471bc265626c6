"""Deadlocks and serialization failures: what was rolled back is done again, a few times, and nothing is stuck."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from opwright.errors import StoreConflict
from opwright.model.ids import new_ids
from opwright.model.operation import NewOperation
from opwright.store import surely
from tests.kit.application import Application
from tests.kit.processes import HostProcess
from tests.kit.tables import Tables
from tests.kit.waiting import eventually

MANY = 200
GATE = 4711
WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


@pytest.fixture
def database_url(postgres_database: str) -> str:
    return postgres_database


def drafts(count: int) -> list[NewOperation]:
    return [NewOperation(id=one, trigger="double", queue="default", inputs='{"number":1}', priority=0) for one in new_ids(count)]


async def insert(raw: asyncpg.Connection, identifier: int) -> None:
    await raw.execute(
        "insert into opwright.operations (id, created, priority, trigger, queue, inputs) values ($1, 0, 0, 'x', 'x', '{}')",
        identifier,
    )


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection for a block."""
    raw = await asyncpg.connect(url)
    try:
        yield raw
    finally:
        await raw.close()


async def keep_at_gate(tables: Tables, identifier: int) -> None:
    """Whoever submits this operation passes a gate before its row, which stands open unless somebody holds the lock."""
    await tables.rows(
        "create function pass_gate() returns trigger language plpgsql as "
        f"$$ begin perform pg_advisory_xact_lock_shared({GATE}); return new; end $$"
    )
    await tables.rows(
        f"create trigger gate before insert on opwright.operations for each row "
        f"when (new.id = {identifier} and new.trigger = 'double') execute function pass_gate()"
    )


async def waiting(tables: Tables, count: int) -> bool:
    """Whether so many wait for a lock."""
    return bool(await tables.value(WAITING) == count)


@pytest.mark.fault("F36")
async def test_a_submit_that_deadlocks_is_sent_again(application: Application, tables: Tables) -> None:
    """Two write the same rows in different orders: the server ends one of them, and both are done in the end.

    A server process looks for a deadlock once, a second after it has begun to wait. So that it finds one, the submit waits last:
    between its rows it is kept at a gate until the other one waits for it.
    """
    first, second = drafts(2)
    async with application.ops, AsyncExitStack() as stack:
        store = await application.ops.client.store()
        raw, gate = [await stack.enter_async_context(connected(tables.url)) for _ in range(2)]
        await keep_at_gate(tables, second.id)
        transaction = raw.transaction()
        await transaction.start()
        await raw.execute("set local deadlock_timeout = '60s'")  # so that it is not the one that is ended
        await insert(raw, second.id)
        await gate.execute(f"select pg_advisory_lock({GATE})")
        submitting = asyncio.ensure_future(store.operations.submit([first, second]))
        await eventually(lambda: waiting(tables, 1), 20, "the submit stands at the gate")
        inserting = asyncio.ensure_future(insert(raw, first.id))
        await eventually(lambda: waiting(tables, 2), 20, "the other one waits for the submit")
        await gate.execute(f"select pg_advisory_unlock({GATE})")
        await inserting  # returns when the submit was ended
        await transaction.rollback()
        await submitting
    assert await tables.column("select id from opwright.operations order by id") == [first.id, second.id]
    assert await tables.count("ready") == 2


@pytest.mark.fault("F36")
async def test_hosts_that_settle_and_submitters_with_many_keys_do_not_get_stuck(
    application: Application, tables: Tables, tmp_path: Path
) -> None:
    """The same keys, taken in opposite orders by several at once, while they end and are free again."""
    with HostProcess(tables.url, tmp_path, "one", workers=1) as one, HostProcess(tables.url, tmp_path, "two", workers=1) as two:
        await one.ready()
        await two.ready()
        async with application.ops:
            keys = [f"key{number}" for number in range(20)]

            async def submit(order: list[str]) -> None:
                for key in order:
                    await application.double.options(key=key, on_conflict="skip").submit(1)

            await asyncio.gather(*(submit(keys if number % 2 else keys[::-1]) for number in range(6)))

        async def all_ended() -> bool:
            return await tables.count("outcomes") == await tables.count("operations")

        await eventually(all_ended, 30, "everything has ended")
        assert one.log().count(" ERROR ") == two.log().count(" ERROR ") == 0
    assert await tables.count("operation_keys") == 0


@pytest.mark.fault("F39")
@pytest.mark.parametrize("isolation", ["serializable", "repeatable read"])
async def test_the_isolation_that_others_chose_is_not_ours(
    application: Application, tables: Tables, tmp_path: Path, isolation: str
) -> None:
    """With another default for the whole database, hosts and submitters go on without a single conflict."""
    name = await tables.value("select current_database()")
    await tables.rows(f"alter database {name} set default_transaction_isolation = '{isolation}'")
    with HostProcess(tables.url, tmp_path, "one", workers=1) as one, HostProcess(tables.url, tmp_path, "two", workers=1) as two:
        await one.ready()
        await two.ready()
        async with application.ops:
            plain = await application.double.submit_many([(number,) for number in range(MANY)])
            keyed = [await application.double.options(key=str(number)).submit(number) for number in range(20)]
            for handle in (*plain, *keyed):
                await handle.result(30)
        assert one.events("service.failed") == two.events("service.failed") == []
    assert await tables.attempts() == {(1, 1): MANY + 20}


@pytest.mark.fault("F36")
async def test_a_conflict_that_does_not_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bounded number of times, then whoever called decides."""
    monkeypatch.setattr(surely, "PAUSES", (0.001,) * 4)
    tries = 0

    async def write() -> None:
        nonlocal tries
        tries += 1
        raise StoreConflict("deadlock")

    with pytest.raises(StoreConflict):
        await surely.past_conflicts(write)
    assert tries == 5

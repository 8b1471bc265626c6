"""The log on PostgreSQL: positions are drawn in one order and committed in another, and a reader misses none and repeats none."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest_asyncio

from opwright.clock import SECOND, TurnedClock
from opwright.store.engine import Lane
from opwright.store.postgresql import PostgresEngine
from opwright.store.store import Store, engine_for
from tests.contract.kit import promptly, until
from tests.contract.log_kit import entry, put, read, write

HOLD = """
create function public.hold() returns trigger language plpgsql as $$
begin
  if new.command = 'slow' then perform pg_advisory_xact_lock(4711); end if;
  return new;
end $$;
create trigger hold before insert on opwright.operation_log for each row execute function public.hold()
"""


@pytest_asyncio.fixture
async def writer(shared: Store) -> AsyncIterator[Any]:
    """A connection of its own, as a command has one."""
    connection = await asyncpg.connect(shared.engine.url)
    yield connection
    connection.terminate()


async def test_what_is_committed_later_with_an_earlier_position_is_read(shared: Store, writer: Any) -> None:
    """F60: the second of two is committed and read first; the first is not missed, and the second not read again."""
    begin = await shared.log.end()
    first, second = entry("first"), entry("second")
    async with writer.transaction():
        await put(writer, shared, first)
        await write(shared, second)
        found, middle = await read(shared, begin)
        assert found == [second]
    found, end = await read(shared, middle)
    assert found == [first]
    assert (await read(shared, end))[0] == []


async def test_a_gap_that_was_rolled_back_is_waited_for_by_nobody(shared: Store, writer: Any) -> None:
    begin = await shared.log.end()
    transaction = writer.transaction()
    await transaction.start()
    await put(writer, shared, entry())
    _, middle = await read(shared, begin)
    await transaction.rollback()
    await write(shared, later := entry("later"))
    assert (await read(shared, middle))[0] == [later]


async def test_a_writer_that_paused_after_its_position_was_drawn_is_read(shared: Store, writer: Any) -> None:
    """A trigger before the insert holds it up; readers pass it by, and see it when it is committed."""
    await writer.execute(HOLD)
    begin = await shared.log.end()
    await writer.execute("select pg_advisory_lock(4711)")
    slow = asyncio.ensure_future(write(shared, paused := entry("slow")))

    async def held() -> bool:
        return bool(await writer.fetchval("select count(*) from pg_locks where locktype = 'advisory' and not granted"))

    await until(held)
    async with AsyncExitStack() as stack:
        other = Store(engine_for(shared.engine.url, TurnedClock()))
        await other.open()
        stack.push_async_callback(other.close)
        await write(other, quick := entry("quick"))
        found, middle = await read(other, begin)
        assert found == [quick]
        await writer.execute("select pg_advisory_unlock(4711)")
        await promptly(slow)
        assert (await read(other, middle))[0] == [paused]


async def test_what_a_savepoint_wrote_is_read_with_its_transaction(shared: Store, writer: Any) -> None:
    """The id of a savepoint's own transaction says nothing of when it is seen."""
    begin = await shared.log.end()
    kept, undone = entry("kept"), entry("undone")
    async with writer.transaction():
        async with writer.transaction():
            await put(writer, shared, kept)
        inner = writer.transaction()
        await inner.start()
        await put(writer, shared, undone)
        await inner.rollback()
        found, middle = await read(shared, begin)
        assert found == []
    assert (await read(shared, middle))[0] == [kept]


async def test_what_a_prepared_transaction_wrote_is_read_when_it_is_committed(shared: Store, writer: Any) -> None:
    begin = await shared.log.end()
    await writer.execute("begin")
    await put(writer, shared, one := entry())
    await writer.execute("prepare transaction 'order'")
    await write(shared, other := entry("other"))
    found, middle = await read(shared, begin)
    assert found == [other]
    await writer.execute("commit prepared 'order'")
    assert (await read(shared, middle))[0] == [one]


async def test_windows_show_what_the_end_saw_however_long_they_take(shared: Store, writer: Any) -> None:
    """What is committed between two windows of one reading belongs to the next reading, whatever its position."""
    begin = await shared.log.end()
    written = [entry(str(number)) for number in range(3)]
    await write(shared, *written)
    async with writer.transaction():
        await put(writer, shared, open_now := entry("open"))
        end = await shared.log.end()
        first = await shared.log.between(begin, end, limit=2)
    assert first.position is not None
    second = await shared.log.between(begin, end, first.position, limit=2)
    assert [*first.entries, *second.entries] == written
    assert (await read(shared, end))[0] == [open_now]


async def test_a_tombstone_waits_for_whoever_is_committing(shared: Store, writer: Any) -> None:
    """So that its answer is final, either way."""
    for committed in (True, False):
        one = entry()
        transaction = writer.transaction()
        await transaction.start()
        await put(writer, shared, one)
        asking = asyncio.ensure_future(shared.log.committed(one.id))

        async def waits() -> bool:
            return bool(await writer.fetchval("select count(*) from pg_locks where not granted"))

        await until(waits)
        await (transaction.commit() if committed else transaction.rollback())
        assert await promptly(asking) is committed


async def test_what_an_open_transaction_holds_back_is_not_trimmed(shared: Store, writer: Any) -> None:
    """However old it is: readers cannot have seen it when the log was trimmed before."""
    begin = await shared.log.end()
    async with writer.transaction():
        await put(writer, shared, old := entry("old", at=1))
        _, horizon = await shared.log.trim(0)
    assert (await shared.log.trim(5 * SECOND, horizon))[0] == 0
    assert (await read(shared, begin))[0] == [old]
    _, horizon = await shared.log.trim(5 * SECOND, horizon)
    assert (await shared.log.trim(5 * SECOND, horizon))[0] == 1


async def test_another_database_is_told_from_this_one(shared: Store, postgres_server: Any) -> None:
    """Where it was restored into a new one, for example."""
    with postgres_server.database() as url:
        other = Store(engine_for(url, TurnedClock()))
        await other.open()
        assert not (await shared.log.end()).leads_to(await other.log.end())
        await other.close()


async def test_a_reading_goes_by_the_index_of_transactions(shared: Store) -> None:
    """What is new is found without looking at what is old, whatever the planner knows."""
    part = shared.engine.statements["log_between"].parts[0]
    values = {"after": "'100:200:150,160'", "until": "'300:300:'", "position": "0", "limit": "1000"}
    assert isinstance(shared.engine, PostgresEngine)
    raw = (await shared.engine.connect(Lane.CONTROL)).raw
    await raw.execute("insert into opwright.operation_log (id, logged_at) select g, 1 from generate_series(1, 20000) g")
    for _ in range(2):
        await raw.execute(f"prepare probe as {part.sql}")
        rows = await raw.fetch(f"explain (costs off) execute probe ({', '.join(values[name] for name in part.parameters)})")
        await raw.execute("deallocate probe; analyze opwright.operation_log")
        plan = "\n".join(row[0] for row in rows)
        assert plan.count("Index Scan using operation_log_xid on operation_log") == 2
        assert "Seq Scan" not in plan
    await raw.close()


COMMITTED = """
do $$ begin
  for number in 1..10000 loop
    insert into opwright.operation_log (id, logged_at, origin, command, inputs) values (number + {}, 1, 77, 'meanwhile', '{{}}');
    commit;
  end loop;
end $$
"""


async def test_a_transaction_that_stays_open_for_long_makes_no_reading_dearer(shared: Store, writer: Any) -> None:
    """Ten thousand others are committed meanwhile, each with an entry: a reading of one more touches at most twice the blocks."""
    assert isinstance(shared.engine, PostgresEngine)
    raw = (await shared.engine.connect(Lane.CONTROL)).raw
    part = shared.engine.statements["log_between"].parts[0]
    await raw.execute(f"set synchronous_commit = off; prepare probe as {part.sql}")

    async def blocks() -> int:
        """That a reading of one entry touches."""
        after = await shared.log.end()
        await write(shared, entry())
        values = {"after": f"'{after.seen}'", "until": f"'{(await shared.log.end()).seen}'", "position": "0", "limit": "1000"}
        call = f"execute probe ({', '.join(values[name] for name in part.parameters)})"
        ((plan,),) = await raw.fetch(f"explain (analyze, buffers, timing off, format json) {call}")
        (found,) = json.loads(plan)
        assert found["Plan"]["Actual Rows"] == 1
        return int(found["Plan"]["Shared Hit Blocks"] + found["Plan"]["Shared Read Blocks"])

    await raw.execute(COMMITTED.format(0))
    async with writer.transaction():
        await put(writer, shared, entry("open"))
        begin, of_late = await shared.log.end(), await blocks()
        await raw.execute(COMMITTED.format(10_000))
        assert len((await read(shared, begin))[0]) == 10_001
        for_long = await blocks()
    assert for_long < 2 * of_late
    await raw.close()

"""What event loops that are closed leave behind, and ids that another process had drawn first."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from opwright import Opwright
from opwright.model.ids import new_ids
from opwright.operations import draft as draft_module
from opwright.store.postgresql import PostgresEngine
from tests.contract.kit import query
from tests.operations.kit import eventually, rows


async def double(number: int) -> int:
    return 2 * number


def own_threads() -> set[threading.Thread]:
    """Themselves, not their number: some that a test before has left may end meanwhile."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("opwright")}


async def connections(url: str) -> int:
    """How many others are connected to the database."""
    raw = await asyncpg.connect(url)
    try:
        own = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        return int(await raw.fetchval(own))
    finally:
        await raw.close()


async def held(url: str, before: set[threading.Thread]) -> int:
    """What is open for this application: threads on SQLite, connections on PostgreSQL."""
    return len(own_threads() - before) if url.startswith("sqlite") else await connections(url)


@pytest.fixture
def kept_garbage() -> Iterator[None]:
    """Nothing is closed by the collector's mercy, until the test is over."""
    gc.disable()
    yield
    gc.enable()
    gc.collect()


@pytest.mark.filterwarnings("ignore:unclosed (transport|connection):ResourceWarning")  # without their loop nobody closes them
def test_closed_loops_leave_nothing_behind(database_url: str, kept_garbage: None) -> None:
    """A program that calls ``asyncio.run`` for each submit: at most the last loop's store is open, and closing ends that."""
    ops = Opwright(database_url)
    trigger = ops.operation(double)
    before = own_threads()

    async def submit(number: int) -> None:
        await trigger.submit(number)

    asyncio.run(submit(0))
    one = asyncio.run(held(database_url, before))
    assert one > 0
    for number in range(1, 10):
        asyncio.run(submit(number))

    async def at_most(most: int) -> None:
        async def few() -> bool:
            return await held(database_url, before) <= most

        await eventually(few, f"no more than {most}")

    asyncio.run(at_most(2 * one))

    async def look_and_close() -> None:
        assert await rows(ops) == {"operations": 10, "ready": 10}
        assert len(ops.client._stores) == 1
        await ops.client.close()

    asyncio.run(look_and_close())
    asyncio.run(at_most(0))


@pytest.mark.filterwarnings("ignore:unclosed (transport|connection):ResourceWarning")  # without their loop nobody closes them
def test_threads_whose_loops_have_ended_leave_no_connection(postgres_database: str, kept_garbage: None) -> None:
    """Many at once, each with a loop of its own that submits, waits for a result and ends without a word.

    Whoever opens next lets go of what they had: connections of every lane, and those that listen.
    """
    ops = Opwright(postgres_database)
    trigger = ops.operation(double)
    asyncio.run(connected(ops))  # the tables are there

    async def work(number: int) -> None:
        handle = await trigger.submit(number)
        with pytest.raises(TimeoutError):
            await handle.result(timeout=0.2)

    for _ in range(3):
        threads = [threading.Thread(target=asyncio.run, args=(work(number),)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    async def only_ours() -> None:
        await connected(ops)
        own = {connection.raw.get_server_pid() for connection in await opened(ops)}

        async def nobody_else() -> bool:
            return await connections(postgres_database) == len(own)

        await eventually(nobody_else, "the connections of the other loops are gone")
        await ops.client.close()
        await eventually(lambda: nobody(postgres_database), "ours are gone too")

    asyncio.run(only_ours())


async def connected(ops: Opwright) -> None:
    """Open the store of this event loop, and ask it something."""
    await (await ops.client.store()).operations.counts()


async def opened(ops: Opwright) -> list[Any]:
    """The connections of this event loop; none of them is in use."""
    engine = (await ops.client.store()).engine
    assert isinstance(engine, PostgresEngine)
    return [connection for lane in engine._lanes.values() for connection in lane._free]


async def nobody(url: str) -> bool:
    return await connections(url) == 0


class TakenFirst:
    """Draws these ids once, as two processes may in the same millisecond; fresh ones afterwards."""

    def __init__(self, *taken: int) -> None:
        self._taken = taken
        self.draws = 0

    def __call__(self, count: int) -> range | tuple[int, ...]:
        self.draws += 1
        return (*self._taken, *new_ids(count - len(self._taken))) if self.draws == 1 else new_ids(count)


async def test_an_id_that_was_taken_is_replaced(ops: Opwright, monkeypatch: pytest.MonkeyPatch) -> None:
    """The submit lands under another id, and its handle knows that one; the other operation is left alone."""
    trigger = ops.operation(double)
    first = await trigger.submit(1)
    draws = TakenFirst(first.id)
    monkeypatch.setattr(draft_module, "new_ids", draws)
    second = await trigger.submit(2)
    assert draws.draws == 2
    assert second.id != first.id
    stored = await query(await ops.client.store(), "select id, inputs from opwright.operations order by id")
    assert stored == [(first.id, '{"number":1}'), (second.id, '{"number":2}')]


@pytest.mark.parametrize("delay", [None, 1000], ids=["at once", "later"])
async def test_ids_of_many_that_were_taken_are_replaced(
    ops: Opwright, monkeypatch: pytest.MonkeyPatch, delay: float | None
) -> None:
    """All of them are drawn anew and land in their order, none twice."""
    trigger = ops.operation(double)
    first = await trigger.submit(1)
    monkeypatch.setattr(draft_module, "new_ids", TakenFirst(first.id))
    handles = await trigger.options(delay=delay).submit_many([(number,) for number in range(2, 50)])
    stored = await query(
        await ops.client.store(), f"select id, inputs from opwright.operations where id <> {first.id} order by id"
    )
    assert stored == [(handle.id, f'{{"number":{number}}}') for number, handle in enumerate(handles, 2)]
    places = {"ready": 49} if delay is None else {"ready": 1, "delayed": 48}
    assert await rows(ops) == {"operations": 49} | places

"""What event loops that are closed leave behind, and ids that another process had drawn first."""

import asyncio
import gc
import threading
from collections.abc import Iterator

import asyncpg
import pytest

from opwright import Opwright
from opwright.model.ids import new_ids
from opwright.operations import draft as draft_module
from tests.contract.kit import query
from tests.operations.kit import eventually, rows


async def double(number: int) -> int:
    return 2 * number


def own_threads() -> int:
    return len([thread for thread in threading.enumerate() if thread.name.startswith("opwright")])


async def connections(url: str) -> int:
    """How many others are connected to the database."""
    raw = await asyncpg.connect(url)
    try:
        own = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        return int(await raw.fetchval(own))
    finally:
        await raw.close()


async def held(url: str, before: int) -> int:
    """What is open for this application: threads on SQLite, connections on PostgreSQL."""
    return own_threads() - before if url.startswith("sqlite") else await connections(url)


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


async def test_ids_of_many_that_were_taken_are_replaced(ops: Opwright, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them are drawn anew and land in their order, none twice."""
    trigger = ops.operation(double)
    first = await trigger.submit(1)
    monkeypatch.setattr(draft_module, "new_ids", TakenFirst(first.id))
    handles = await trigger.options(delay=1000).submit_many([(number,) for number in range(2, 50)])
    stored = await query(
        await ops.client.store(), f"select id, inputs from opwright.operations where id <> {first.id} order by id"
    )
    assert stored == [(handle.id, f'{{"number":{number}}}') for number, handle in enumerate(handles, 2)]
    assert await rows(ops) == {"operations": 49, "ready": 1, "delayed": 48}

"""A rescuer that stands still between looking for what the dead held and writing what becomes of it."""

import asyncio

import pytest

from opwright.clock import SystemClock
from opwright.model.claim import Claim, End
from opwright.model.ids import new_id
from opwright.model.status import OutcomeCode
from opwright.scheduler.housekeeping import Housekeeping
from opwright.store.engine import Engine
from opwright.store.queue import Orphan, Queue
from opwright.store.store import Store
from tests.faults.kit import check_nothing_is_lost
from tests.faults.unruly import Unruly
from tests.kit.tables import Tables


class SlowQueue(Queue):
    """The real gateway; after each look for orphans it waits until it may go on."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.looked, self.go_on = asyncio.Event(), asyncio.Event()

    async def orphans(self, limit: int, after: int = 0) -> list[Orphan]:
        found = await super().orphans(limit, after)
        self.looked.set()
        await self.go_on.wait()
        return found


async def joined(store: Store) -> int:
    """A host."""
    host = await store.hosts.register(name="host", pid=1, version="1", lease=60.0, queues=None, triggers=["double"])
    return host.id


async def claimed(store: Store, host: int) -> Claim:
    """What this host claims."""
    (claim,) = await store.queue.claim(host=host, token=new_id(), queue="default", triggers=["double"], limit=10)
    return claim


def housekeeping(queue: Queue, store: Store, host: int) -> Housekeeping:
    """That of a host."""
    return Housekeeping(queue, store.hosts, SystemClock(), host=lambda: host, leftover=lambda: False, unknown_after=60.0)


@pytest.mark.fault("F1")
@pytest.mark.parametrize("meanwhile", ["ended", "claimed anew", "claimed anew by itself"])
async def test_a_slow_rescuer_touches_nothing_that_has_moved_on(unruly: Unruly, tables: Tables, meanwhile: str) -> None:  # F1
    """What it had seen as orphaned has ended meanwhile, or was taken over by another and claimed again: it changes no row."""
    async with unruly.ops:
        store = await unruly.ops.client.store()
        dead, rescuer, another = [await joined(store) for _ in range(3)]
        operation = await unruly.double.submit(1)
        claim = await claimed(store, dead)
        await tables.rows(f"update opwright.hosts set state = 2 where id = {dead}")
        slow = SlowQueue(store.engine)
        rescue = asyncio.create_task(housekeeping(slow, store, rescuer).take_over())
        await slow.looked.wait()
        if meanwhile == "ended":
            end = End(OutcomeCode.SUCCEEDED, result="2")
            assert await store.queue.settle(dead, [(claim, end)]) == {operation.id}
        else:
            assert await housekeeping(store.queue, store, another).take_over() == 1
            await claimed(store, another if meanwhile == "claimed anew" else rescuer)
        looks = [f"select * from opwright.{table}" for table in ("ready", "claimed", "outcomes", "operationstatus")]
        before = [await tables.rows(look) for look in looks]
        slow.go_on.set()
        assert await rescue == 0
        assert [await tables.rows(look) for look in looks] == before
    await check_nothing_is_lost(tables)

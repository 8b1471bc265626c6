"""Claims by a planner that is wrong about its tables."""

import asyncio

import pytest

from opwright.model.ids import new_id
from tests.faults.kit import check_nothing_is_lost
from tests.faults.unruly import Unruly
from tests.kit.tables import Tables

ROWS, LIMIT, ROUNDS = 100_000, 7, 5


@pytest.mark.fault("F7")
async def test_claims_keep_their_limit_on_a_hundred_thousand_rows_that_the_planner_has_not_seen(
    unruly: Unruly, tables: Tables
) -> None:  # F7
    """Statistics from when there was one row; claims at the same time by three hosts: none takes more than it asked for."""
    async with unruly.ops:
        store = await unruly.ops.client.store()
        if not tables.is_sqlite:
            await tables.rows("alter table opwright.ready set (autovacuum_enabled = off)")
        await unruly.double.submit(0)
        await tables.rows("analyze opwright.ready" if not tables.is_sqlite else "analyze")
        numbers = f"with recursive n (i) as (select 1 union all select i + 1 from n where i < {ROWS}) "
        columns = "(id, created, priority, trigger, queue, inputs)"
        await tables.rows(
            f"insert into opwright.operations {columns} {numbers} select i, 1, 0, 'double', 'default', '{{}}' from n"
        )
        await tables.rows(
            "insert into opwright.ready (queue, rank, operation, errors, deaths, trigger) "
            f"{numbers} select 'default', 0, i, 0, 0, 'double' from n"
        )
        hosts = [
            await store.hosts.register(name=name, pid=1, version="1", lease=60.0, queues=None, triggers=["double"])
            for name in ("one", "two", "three")
        ]
        for _ in range(ROUNDS):
            claims = await asyncio.gather(
                *(
                    store.queue.claim(host=host.id, token=new_id(), queue="default", triggers=["double"], limit=LIMIT)
                    for host in hosts
                )
            )
            assert [len(one) for one in claims] == [LIMIT] * len(hosts)
        assert await tables.count("claimed") == LIMIT * ROUNDS * len(hosts)
    await check_nothing_is_lost(tables)

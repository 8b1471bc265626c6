"""A million delayed and a hundred thousand failed operations in the tables: what a host does all day costs as much as without."""

import json
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from opwright.clock import SystemClock
from opwright.store.engine import Lane
from opwright.store.postgresql import PostgresEngine
from opwright.store.statements import POSTGRESQL, load
from opwright.store.store import Store, engine_for
from tests.contract.kit import Member, join, submit
from tests.servers import PostgresServer

DELAYED, FAILED = 1_000_000, 100_000
CLAIMS, BATCH = 200, 10
DUE = 4_000_000_000_000_000  # in the year 2096

FILL = f"""
insert into opwright.operations (id, created, priority, trigger, queue, inputs)
  select g, 1, 0, 'work', 'default', '{{}}' from generate_series(1, {DELAYED + FAILED}) g;
insert into opwright.delayed select g, {DUE} + g, 1, 0, 0, 0, 'default', 'work' from generate_series(1, {DELAYED}) g;
insert into opwright.outcomes (operation, ended, status, attempt, error)
  select g, g, 2, 1, 'it broke' from generate_series({DELAYED + 1}, {DELAYED + FAILED}) g;
"""
# What every host asks again and again, with values for its parameters.
ASKED = {
    "claim": {
        "queue": "'default'",
        "triggers": "'{work}'",
        "gate": "1",
        "host": "1",
        "limit": "10",
        "token": "5",
        "ahead": "false",
    },
    "peek": {"now": "null"},
    "promote": {"now": "null", "limit": "5000"},
    "orphans": {"after": "0", "limit": "100"},
    "asked": {"host": "1"},
}


@pytest_asyncio.fixture
async def stores(postgres_server: PostgresServer) -> AsyncIterator[tuple[Store, Store]]:
    """An empty database, and one that holds a million and a hundred thousand operations, as autovacuum would have left it."""
    async with AsyncExitStack() as stack:
        both = []
        for _ in range(2):
            store = Store(engine_for(stack.enter_context(postgres_server.database()), SystemClock()))
            await store.open()
            stack.push_async_callback(store.close)
            both.append(store)
        raw = await raw_of(both[1])
        await raw.execute(FILL, timeout=240)
        await raw.execute("vacuum analyze", timeout=240)
        await raw.close()
        yield both[0], both[1]


async def raw_of(store: Store) -> Any:
    """A connection as claims have it, past the store."""
    assert isinstance(store.engine, PostgresEngine)
    return (await store.engine.connect(Lane.CLAIM)).raw


async def timed(host: Member) -> float:
    """Seconds that a claim of a batch takes."""
    begun = time.perf_counter()
    claims = await host.claim(BATCH)
    seconds = time.perf_counter() - begun
    assert len(claims) == BATCH
    return seconds


async def touched(store: Store, name: str) -> int:
    """How many pages a statement touches, run as a host would and undone."""
    raw = await raw_of(store)
    part = load(POSTGRESQL, "opwright")[name].parts[0]
    arguments = ", ".join(ASKED[name][parameter] for parameter in part.parameters)
    await raw.execute(f"prepare probe as {part.sql}")
    pages: list[int] = []
    for _ in range(3):  # the first one warms the catalogue
        await raw.execute("begin")
        call = f"execute probe ({arguments})" if part.parameters else "execute probe"
        ((plan,),) = await raw.fetch(f"explain (analyze, buffers, format json) {call}")
        await raw.execute("rollback")
        root = json.loads(plan)[0]["Plan"]
        pages.append(root["Shared Hit Blocks"] + root["Shared Read Blocks"])
    await raw.close()
    return min(pages)


@pytest.mark.fault("F58")
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_million_that_wait_and_a_hundred_thousand_that_failed_slow_no_claim(stores: tuple[Store, Store]) -> None:
    """In turns on both databases: as many pages for each statement of a host, and claims take as long."""
    empty, full = stores
    hosts = [await join(empty), await join(full)]
    for store in stores:
        for _ in range(CLAIMS // 100 + 1):
            await submit(store, 100 * BATCH)
    pages = {name: (await touched(empty, name), await touched(full, name)) for name in ASKED}
    assert {name: pair for name, pair in pages.items() if pair[1] > pair[0] + 4 * BATCH} == {}, "an index has a level or two more"
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(CLAIMS):
        for seconds, host in zip(taken, hosts, strict=True):
            seconds.append(await timed(host))
    medians = [statistics.median(seconds) for seconds in taken]
    slowest = [sorted(seconds)[CLAIMS * 99 // 100] for seconds in taken]
    assert medians[1] < 2 * medians[0], (medians, slowest)
    assert slowest[1] < 3 * slowest[0] + 0.05, (medians, slowest)

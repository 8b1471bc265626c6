"""Plans of sweeps: what they cost is what is old, never what is there."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from opwright.clock import SystemClock
from opwright.store.engine import Lane
from opwright.store.postgresql import PostgresEngine
from opwright.store.statements import POSTGRESQL, load
from opwright.store.store import Store, engine_for
from tests.contract.test_plans import sqlite_plans
from tests.servers import PostgresServer

__all__ = ["sqlite_plans"]

FILL = """
insert into opwright.operations (id, created, priority, trigger, queue, inputs, parent, submitter)
  select g, g, 0, 'work', 'default', '{}', g - 1, 'orders' from generate_series(1, 100000) g;
insert into opwright.outcomes (operation, ended, status, attempt)
  select g, g, case when g % 10 = 0 then 2 when g % 10 = 1 then 3 else 1 end, 1 from generate_series(1, 100000) g;
insert into opwright.operationstatus (operation, at, attempt, kind, text) select g, 1, 1, 4, '' from generate_series(1, 100000) g;
insert into opwright.predecessors select g, g + 1, 2 from generate_series(1, 100000) g;
insert into opwright.waits select g, 1, '[]' from generate_series(1, 100000) g;
insert into opwright.cancel_requests select g, g from generate_series(1, 100000) g;
insert into opwright.operation_keys select 'work', g, g from generate_series(1, 100000) g;
"""
VALUES: dict[str, Any] = {
    "operations": f"'{{{','.join(map(str, range(1, 501)))}}}'", "after": "5", "before": "5000", "cutoff": "5000",
    "limit": "1000", "status": "2", "ended": "5", "operation": "5", "surplus": "50", "offset": "50", "queue": "'events'",
}  # fmt: skip
# The index by which each goes.
WINDOWS = {
    "aged_successes": "outcomes_pkey", "aged_unhappy": "outcomes_unhappy", "count_failed": "outcomes_unhappy",
    "aged_successes_of_queue": "outcomes_pkey", "last_surplus": "outcomes_unhappy", "failed_window": "outcomes_unhappy",
}  # fmt: skip
BATCHES = ["sweepable", "sweep"]
LARGE = r"Index (?:Only )?Scan(?: Backward)? using (\w+) on \w+(?: \w+)?"


async def explain_all(url: str) -> dict[tuple[str, str], str]:
    """The generic plan of each statement, before and after the server knows how much there is."""
    store = Store(engine_for(url, SystemClock()))
    await store.open()
    assert isinstance(store.engine, PostgresEngine)
    raw = (await store.engine.connect(Lane.CONTROL)).raw
    await raw.execute("set plan_cache_mode = force_generic_plan")
    plans = {("stale", name): await explain(raw, name) for name in (*WINDOWS, *BATCHES)}
    await raw.execute(FILL)
    await raw.execute("vacuum analyze")
    plans |= {("fresh", name): await explain(raw, name) for name in (*WINDOWS, *BATCHES)}
    await raw.close()
    await store.close()
    return plans


async def explain(raw: "asyncpg.Connection[asyncpg.Record]", name: str) -> str:
    part = load(POSTGRESQL, "opwright")[name].parts[0]
    arguments = ", ".join(VALUES[one] for one in part.parameters)
    await raw.execute(f"prepare probe as {part.sql}")
    rows = await raw.fetch(f"explain (costs off) execute probe {f'({arguments})' if arguments else ''}")
    await raw.execute("deallocate probe")
    return "\n".join(row[0] for row in rows)


@pytest.fixture(scope="module")
def plans(postgres_server: PostgresServer) -> Iterator[dict[tuple[str, str], str]]:
    postgres_server.start()
    with postgres_server.database() as url:
        yield asyncio.run(explain_all(url))


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("statistics", ["stale", "fresh"])
def test_a_window_is_read_in_the_order_of_its_index(plans: dict[tuple[str, str], str], name: str, statistics: str) -> None:
    """From a position on, to a limit: only the number that is reached is found by counting."""
    plan = plans[statistics, name]
    first = next(line for line in plan.splitlines() if " on outcomes" in line)
    assert re.findall(LARGE, first) == [WINDOWS[name]], plan
    assert "Index Cond" in plan, plan
    assert "Seq Scan" not in plan, plan
    assert name in ("last_surplus", "count_failed") or "Limit" in plan, plan
    assert name == "last_surplus" or not re.search(r"^\s*(->)?\s*Sort$", plan, re.MULTILINE), plan


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("statistics", ["stale", "fresh"])
def test_a_batch_is_found_by_its_keys(plans: dict[tuple[str, str], str], name: str, statistics: str) -> None:
    """However much else there is: every row of every table is looked up by an index, with a condition."""
    plan = plans[statistics, name]
    for wrong in ("Seq Scan", "Hash Join", "Merge Join", "Hash Anti", "Merge Anti", "Bitmap"):
        assert wrong not in plan, plan
    assert len(re.findall(LARGE, plan)) == plan.count("Index Cond"), plan


@pytest.mark.parametrize("name", [*WINDOWS, *BATCHES, "claim_sweep", "sweep_place"])
def test_sqlite_goes_by_the_same_indices(sqlite_plans: dict[str, str], name: str) -> None:
    """No table is scanned, and a window is the stretch of an index."""
    plan = sqlite_plans[name]
    assert not re.findall(r"^SCAN opwright_\w+$|^SCAN [ceopfx]$", plan, re.MULTILINE), plan
    if name in WINDOWS:
        index = "INTEGER PRIMARY KEY" if WINDOWS[name].endswith("pkey") else f"INDEX opwright_{WINDOWS[name]}"
        assert re.search(rf"^SEARCH \w+ USING (COVERING )?{index} \(", plan, re.MULTILINE), plan

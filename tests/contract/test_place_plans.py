"""Plans of what places operations: each statement goes by an index, however much waits, follows or has ended."""

import asyncio
import json
import re
from collections.abc import Iterator
from itertools import pairwise
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
insert into opwright.operations (id, created, priority, trigger, queue, inputs, submitter, lane, capacity)
  select g, 1, 0, 'work', 'default', '{}', 'orders', 'lane ' || g % 1000, 3 from generate_series(1, 100000) g;
insert into opwright.limited
  select g, 'lane ' || g % 1000, 0, 0, 0, 'default', 'work', g % 100 = 0 from generate_series(1, 100000) g;
insert into opwright.slots select 'lane ' || g, 1, -g, case when g % 10 = 0 then 0 end from generate_series(1, 100000) g;
insert into opwright.following select g, 1, false, false, null, 0, 'default', 'work', null from generate_series(1, 100000) g;
insert into opwright.predecessors select g + 1000000, g, g % 3 from generate_series(1, 100000) g;
insert into opwright.waits select g, 1, '[]' from generate_series(1, 100000) g;
insert into opwright.outcomes (operation, ended, status, attempt) select g + 1000000, 1, 1, 1 from generate_series(1, 100000) g;
insert into opwright.claimed select g, g, 1, 0, 0, false from generate_series(1, 100000) g;
insert into opwright.operationstatus (operation, at, attempt, kind, text) select g, 1, 1, 4, '' from generate_series(1, 100000) g;
insert into opwright.delayed select g, g, 3, 0, 0, 0, 'default', 'work' from generate_series(1, 100000) g;
"""
IDS = json.dumps(list(range(1_000_001, 1_000_101)))
NOTES = json.dumps([{"i": i, "t": i, "a": 1, "k": 4, "e": "", "f": 0.5, "m": 1, "n": i} for i in range(100)])
VALUES: dict[str, Any] = {
    "rows": f"'{IDS}'", "lanes": "'[\"lane 1\", \"lane 2\"]'", "limit": "1000", "lost": "5", "now": "null", "operation": "5",
    "predecessor": "5", "token": "5", "value": "'1'", "begun": "null", "result": "null",
}  # fmt: skip
LARGE = re.compile(r"Index (Only )?Scan using \w+ on (outcomes|operations|claimed|operationstatus|waits)\b")
NAMES = [
    "spent_slots", "newcomers", "admit", "pace", "new_predecessors", "follow", "set_off", "overlooked", "note", "free_slots",
    "submitters", "resume", "rouse", "finish_within",
]  # fmt: skip


async def explain(raw: "asyncpg.Connection[asyncpg.Record]", name: str) -> str:
    part = load(POSTGRESQL, "opwright")[name].parts[0]
    values = VALUES | ({"rows": f"'{NOTES}'"} if name == "note" else {})
    await raw.execute(f"prepare probe as {part.sql}")
    rows = await raw.fetch(f"explain (costs off) execute probe ({', '.join(values[one] for one in part.parameters)})")
    await raw.execute("deallocate probe")
    return "\n".join(row[0] for row in rows)


async def explain_all(url: str) -> dict[tuple[str, str], str]:
    """The generic plan of each statement, before and after the server knows how much there is."""
    store = Store(engine_for(url, SystemClock()))
    await store.open()
    assert isinstance(store.engine, PostgresEngine)
    raw = (await store.engine.connect(Lane.CLAIM)).raw
    await raw.execute("set plan_cache_mode = force_generic_plan")
    plans = {("empty", name): await explain(raw, name) for name in NAMES}
    await raw.execute(FILL)
    await raw.execute("analyze")
    plans |= {("full", name): await explain(raw, name) for name in NAMES}
    await raw.close()
    await store.close()
    return plans


@pytest.fixture(scope="module")
def plans(postgres_server: PostgresServer) -> Iterator[dict[tuple[str, str], str]]:
    postgres_server.start()
    with postgres_server.database() as url:
        yield asyncio.run(explain_all(url))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("filling", ["empty", "full"])
def test_no_table_is_scanned(plans: dict[tuple[str, str], str], name: str, filling: str) -> None:
    """Neither while there is nothing nor when there is much."""
    plan = plans[filling, name]
    assert "Seq Scan" not in plan, plan
    assert "Bitmap" not in plan, plan
    lines = [line.strip() for line in plan.splitlines()]
    unbound = [line for line, below in pairwise([*lines, ""]) if LARGE.search(line) and not below.startswith("Index Cond")]
    assert not unbound, plan


@pytest.mark.parametrize("name", NAMES)
def test_sqlite_scans_no_table_either(sqlite_plans: dict[str, str], name: str) -> None:
    """Neither by its name nor by its letter; an index that holds only what is sought is no table."""
    plan = sqlite_plans[name]
    assert not re.findall(r"^SCAN opwright_\w+$", plan, re.MULTILINE), plan
    assert not set(re.findall(r"^SCAN (\w)$", plan, re.MULTILINE)) & set("ceopsxy"), plan

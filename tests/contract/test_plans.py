"""Plans: the hot statements go by their index, whatever the statistics say."""

import asyncio
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from opwright.clock import SystemClock
from opwright.store.engine import Lane
from opwright.store.postgresql import PostgresEngine
from opwright.store.sqlite_file import connect
from opwright.store.statements import POSTGRESQL, SQLITE, load
from opwright.store.store import Store, engine_for
from tests.servers import PostgresServer

ROWS = 100_000
TABLES = ("ready", "delayed", "claimed", "operations", "operation_keys", "outcomes")
FILL = """
insert into opwright.operations (id, created, priority, trigger, queue, inputs)
  select g, 1, 0, 'work', 'default', '{}' from generate_series($lo, $hi) g;
insert into opwright.ready select 'default', 0, g, 0, 0, 'work' from generate_series($lo, $hi) g;
insert into opwright.delayed select g, g, 1, 0, 0, 0, 'default', 'work' from generate_series($lo, $hi) g;
insert into opwright.claimed select g, g, 1, 0, 0, false from generate_series($lo, $hi) g;
insert into opwright.operation_keys select 'work', g, g from generate_series($lo, $hi) g;
"""
BATCH = [
    {"i": i, "t": i, "a": 1, "q": "default", "p": 0, "f": "work", "x": 0, "d": 0, "w": 1, "c": 1, "k": 1} for i in range(100)
]
ENDS = {token: {token: [3, 1, None, None, None, True] if token % 2 else 1_700_000_000_000_000} for token in range(100)}
VALUES: dict[str, Any] = {
    "queue": "'default'", "triggers": "'{work}'", "gate": "1", "host": "1", "limit": "10", "token": "5",
    "ahead": "false", "now": "null", "operation": "1", "reason": "'no'", "operations": "'{1}'",
    "rows": f"'{json.dumps(BATCH)}'",
}  # fmt: skip
SETTLES = ["finish", "postpone", "release"]
READING = re.compile(
    r"Nested Loop\n +->  Function Scan on json_each t\n +->  Function Scan on json_each g\n"
)  # tokens, their ends


def filling(low: int, high: int) -> str:
    """The script that makes rows with these ids in every hot table."""
    return FILL.replace("$lo", str(low)).replace("$hi", str(high))


async def explain_all(url: str) -> dict[tuple[str, str, str], str]:
    """The plan of each statement: (statement, statistics, kind of plan)."""
    store = Store(engine_for(url, SystemClock()))
    await store.open()
    assert isinstance(store.engine, PostgresEngine)
    raw = (await store.engine.connect(Lane.CLAIM)).raw
    for table in TABLES:
        await raw.execute(f"alter table opwright.{table} set (autovacuum_enabled = off)")
    await raw.execute(filling(1, 3))
    await raw.execute("analyze")
    await raw.execute(filling(4, ROWS))
    plans = {}
    for statistics in ("stale", "fresh"):
        for kind in ("custom", "generic"):
            await raw.execute(f"set plan_cache_mode = force_{kind}_plan")
            for name in ("claim", "promote", "withdraw", *SETTLES):
                plans[name, statistics, kind] = await explain(raw, name)
        await raw.execute("analyze")
    await raw.close()
    await store.close()
    return plans


async def explain(raw: "asyncpg.Connection[asyncpg.Record]", name: str) -> str:
    """The plan of a prepared statement, as the engine would run it."""
    part = load(POSTGRESQL, "opwright")[name].parts[0]
    values = VALUES | ({"rows": f"'{json.dumps(ENDS)}'"} if name == "finish" else {})
    arguments = ", ".join(values[parameter] for parameter in part.parameters)
    await raw.execute(f"prepare probe as {part.sql}")
    rows = await raw.fetch(f"explain (costs off) execute probe ({arguments})")
    await raw.execute("deallocate probe")
    return "\n".join(row[0] for row in rows)


@pytest.fixture(scope="module")
def plans(postgres_server: PostgresServer) -> Iterator[dict[tuple[str, str, str], str]]:
    """Every plan on a hundred thousand rows, first with statistics from when there were three."""
    postgres_server.start()
    with postgres_server.database() as url:
        yield asyncio.run(explain_all(url))


@pytest.fixture(params=["stale", "fresh"])
def statistics(request: pytest.FixtureRequest) -> str:
    """What the planner knows."""
    return str(request.param)


@pytest.fixture(params=["custom", "generic"])
def kind(request: pytest.FixtureRequest) -> str:
    """How a prepared statement is planned: for its values, or once for all."""
    return str(request.param)


Plans = dict[tuple[str, str, str], str]


@pytest.mark.fault("F58")
def test_a_claim_walks_the_key_in_its_order(plans: Plans, statistics: str, kind: str) -> None:
    """Claiming reads the head of `ready_pkey` and stops at its limit: no sort, no scan, no join that could overrun."""
    plan = plans["claim", statistics, kind]
    assert "Index Scan using ready_pkey on ready" in plan
    assert "Tid Scan on ready" in plan
    assert "TID Cond: (ctid = ANY (" in plan  # picked once, by one array
    assert plan.count("Nested Loop") == 1  # only to fetch the request of each row that was picked
    assert "LockRows" in plan
    assert "Index Scan using operations_pkey" in plan
    for wrong in ("Sort", "Seq Scan", "Bitmap", "Hash Join", "Merge Join"):
        assert wrong not in plan


@pytest.mark.parametrize("name", SETTLES)
def test_a_settle_finds_its_claims_by_key_and_fences_them_by_hash(plans: Plans, name: str, statistics: str, kind: str) -> None:
    """Each claim is looked up once, and the fence is a hash look-up: never batch times batch."""
    plan = plans[name, statistics, kind]
    assert "Index Scan using claimed_pkey on claimed" in plan
    assert "Filter: ((ANY ((operation = (hashed SubPlan" in plan
    for wrong in ("Nested Loop", "Seq Scan", "Bitmap", "Join"):
        assert wrong not in READING.sub("", plan)


@pytest.mark.fault("F58")
def test_promotion_goes_by_due_time(plans: Plans, statistics: str, kind: str) -> None:
    """What is due is the head of an index, however much is not due yet."""
    plan = plans["promote", statistics, kind]
    assert "Index Scan using delayed_due on delayed" in plan
    assert "Index Scan using delayed_pkey on delayed" in plan
    for wrong in ("Sort", "Seq Scan", "Bitmap", "Join"):
        assert wrong not in plan


def test_a_withdrawal_touches_single_rows(plans: Plans, statistics: str, kind: str) -> None:
    """Cancelling one operation finds it in `ready` by its whole key."""
    plan = plans["withdraw", statistics, kind]
    assert "Index Cond: ((queue = operations.queue) AND (rank = (- operations.priority)) AND (operation =" in plan
    assert "Seq Scan" not in plan


@pytest.fixture
def sqlite_plans(tmp_path: Path) -> dict[str, str]:
    """The plan of each statement on SQLite, without statistics, as every database starts."""
    path = tmp_path / "opwright.db"
    engine = engine_for(f"sqlite:///{path}", SystemClock())

    async def install() -> None:
        await engine.open()
        await engine.close()

    asyncio.run(install())
    with closing(connect(path, writes=True)) as connection:
        return {name: explained(connection, name) for name in load(SQLITE, "opwright")}


def explained(connection: sqlite3.Connection, name: str) -> str:
    """The plans of a statement's parts, one under the other."""
    lines: list[str] = []
    for part in load(SQLITE, "opwright")[name].parts:
        values = dict.fromkeys(part.parameters)
        lines += [row["detail"] for row in connection.execute(f"explain query plan {part.sql}", values)]
    return "\n".join(lines)


def test_sqlite_claims_in_the_order_of_the_key(sqlite_plans: dict[str, str]) -> None:
    """Claiming reads the primary key of `ready` from its head: nothing is sorted or scanned."""
    plan = sqlite_plans["claim"]
    assert "SEARCH opwright_ready USING PRIMARY KEY (queue=?)" in plan
    assert "SEARCH o USING INTEGER PRIMARY KEY (rowid=?)" in plan
    assert "SEARCH opwright_ready USING PRIMARY KEY (queue=? AND (rank,operation)<(?,?))" in plan  # they leave as a range
    assert "B-TREE" not in plan
    assert "SCAN opwright" not in plan


@pytest.mark.parametrize("name", SETTLES)
def test_sqlite_settles_by_key(sqlite_plans: dict[str, str], name: str) -> None:
    """Each verdict finds its claim by the primary key."""
    plan = sqlite_plans[name]
    assert "SEARCH c USING INTEGER PRIMARY KEY (rowid=?)" in plan
    assert "SEARCH opwright_claimed USING INTEGER PRIMARY KEY (rowid=?)" in plan
    assert "SCAN opwright" not in plan
    assert "SCAN c" not in plan


def test_sqlite_promotes_by_due_time(sqlite_plans: dict[str, str]) -> None:
    """What is due is the head of an index."""
    plan = sqlite_plans["promote"]
    assert "SEARCH opwright_delayed USING INDEX opwright_delayed_due (due<?)" in plan
    assert "SCAN opwright" not in plan


@pytest.mark.parametrize(
    "name", ["withdraw", "request_cancel", "submit", "submit_run", "submit_keyed", "key_holder", "give_back"]
)
def test_sqlite_scans_no_table_of_ours(sqlite_plans: dict[str, str], name: str) -> None:
    """No statement of daily work reads a whole table."""
    assert "SCAN opwright" not in sqlite_plans[name]

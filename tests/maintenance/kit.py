"""What tests of sweeps say often: an operation that ended some time ago, and what is left of it."""

from opwright.clock import TurnedClock
from opwright.maintenance.core_job_sweeper import CoreJobSweeper, Retention
from opwright.maintenance.failure_operation_heartbeat import FailureOperationHeartbeat
from opwright.model.claim import Verdict
from opwright.store.store import Store
from tests.contract.kit import SUCCESS, Member, query, submit

HOUR = 3600.0
DAY = 24 * HOUR
SEED = Retention(succeeded=DAY, cancelled=DAY, failed=14 * DAY)
TABLES = (
    "outcomes", "operationstatus", "predecessors", "waits", "cancel_requests", "operation_keys", "following", "ready", "delayed",
    "limited", "claimed",
)  # fmt: skip


async def ended(store: Store, host: Member, verdict: Verdict = SUCCESS, count: int = 1) -> list[int]:
    """Operations that have just ended; their ids, oldest first."""
    identifiers = await submit(store, count)
    claims = await host.claim(count)
    assert await host.settle(*((claim, verdict) for claim in claims)) == set(identifiers)
    return identifiers


async def recorded(store: Store) -> list[int]:
    """The operations of which there is a record, oldest first."""
    return [row[0] for row in await query(store, "select id from opwright.operations order by id")]


async def left(store: Store) -> dict[str, list[int]]:
    """Rows that belong to operations of which there is no record, by table."""
    found = {}
    for table in TABLES:
        orphans = f"select operation from opwright.{table} where operation not in (select id from opwright.operations)"
        if rows := await query(store, orphans):
            found[table] = [row[0] for row in rows]
    return found


def sweeper(store: Store, clock: TurnedClock, retention: Retention = SEED) -> CoreJobSweeper:
    """The native rule."""
    return CoreJobSweeper(store.sweeps, clock, retention, 60.0)


def heartbeat(store: Store, clock: TurnedClock, *, age: float = DAY, records: int = 20_000) -> FailureOperationHeartbeat:
    """The rule of the DAM framework."""
    return FailureOperationHeartbeat(store.sweeps, clock, age=age, records=records)

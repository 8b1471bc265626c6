"""The settler when the server refuses a statement for reasons of its own: the verdict is none the worse."""

import asyncio

import asyncpg
import pytest

from opwright.clock import SystemClock
from opwright.errors import RowRefused, StoreError
from opwright.model.claim import End, Verdict
from opwright.model.status import OutcomeCode, Status
from opwright.scheduler import settler as settler_module
from opwright.store.postgresql_errors import translate
from opwright.store.store import Store, engine_for
from tests.contract.kit import SUCCESS, query, until
from tests.scheduler.test_settler import bench

PASSING = [
    asyncpg.QueryCanceledError("canceling statement due to statement timeout"),
    asyncpg.LockNotAvailableError("canceling statement due to lock timeout"),
    asyncpg.InvalidPasswordError("password authentication failed"),
    asyncpg.InsufficientPrivilegeError("permission denied"),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: error.sqlstate)
async def test_what_is_no_fault_of_a_row_fails_no_operation(store: Store, error: Exception) -> None:
    """The whole batch is kept and written as it was judged, not split and not turned into a failure."""
    host = await bench(store, 4, *[translate(error)] * 3)
    for claim in host.claims:
        host.add(claim)
    for _ in range(3):
        with pytest.raises(StoreError):
            await host.settler.run_once()
        assert host.settler.backlog == 4
    await host.settler.run_once()
    assert host.queue.batches == [4, 4, 4, 4]
    assert await host.statuses() == [Status.SUCCEEDED] * 4


async def test_a_statement_that_an_administrator_cancels_is_sent_again(postgres_database: str) -> None:
    """The server's own 57014, while the write waits for a lock: SUCCEEDED once the lock is gone."""
    store = Store(engine_for(postgres_database, SystemClock()))
    await store.open()
    host = await bench(store, 1)
    host.add(host.claims[0])
    raw = await asyncpg.connect(postgres_database)
    locking = raw.transaction()
    await locking.start()
    await raw.execute("lock table opwright.outcomes in access exclusive mode")
    writing = asyncio.ensure_future(host.settler.run_once())

    async def cancelled() -> bool:
        stuck = (
            "select pg_cancel_backend(pid) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        return bool(await query(store, stuck))

    await until(cancelled)
    with pytest.raises(StoreError, match="QueryCanceledError") as refusal:
        await writing
    assert not isinstance(refusal.value, RowRefused)
    assert host.settler.backlog == 1
    await locking.rollback()
    await raw.close()
    await host.settler.run_once()
    assert await host.statuses() == [Status.SUCCEEDED]
    await store.close()


async def test_heavy_results_go_out_a_few_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """No statement carries more than its share of text, be it results or errors; what is too heavy alone goes alone."""
    monkeypatch.setattr(settler_module, "HEAVIEST", 100)
    heavy, monster = End(OutcomeCode.SUCCEEDED, result=f'"{"x" * 38}"'), End(OutcomeCode.FAILED, error="x" * 101)
    verdicts: list[Verdict] = [heavy, heavy, heavy, monster, SUCCESS, SUCCESS, heavy]
    host = await bench(store, len(verdicts))
    for claim, verdict in zip(host.claims, verdicts, strict=True):
        host.add(claim, verdict)
    await host.settler.run_once()
    assert host.queue.batches == [2, 1, 1, 3]
    assert await host.statuses() == [Status.SUCCEEDED] * 3 + [Status.FAILED] + [Status.SUCCEEDED] * 3

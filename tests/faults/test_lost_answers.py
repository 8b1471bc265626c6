"""The answer to a COMMIT is lost: whether it was done is found out, and what is told to the caller is true."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from opwright import KeyTaken, Status, StoreUnavailable
from opwright.clock import SystemClock
from opwright.errors import StoreUncertain
from opwright.maintenance.core_job_sweeper import CoreJobSweeper, Retention
from opwright.model.claim import NoteKind
from opwright.model.status import OutcomeCode
from opwright.store import surely
from tests.kit.application import Application
from tests.kit.tables import Tables
from tests.kit.waiting import eventually
from tests.kit.wire import Wire
from tests.servers import PostgresServer

pytestmark = pytest.mark.fault("F6")
both_ways = pytest.mark.parametrize("reaches", [True, False], ids=["committed", "never arrived"])


@pytest.fixture
def database_url(postgres_database: str) -> str:
    """SQLite has no answers that could be lost: its file is in this process."""
    return postgres_database


@pytest.fixture
async def application(wire: Wire, database_url: str) -> AsyncIterator[Application]:
    """Submits through the wire; no host takes anything."""
    application = Application(wire.url(database_url))
    async with application.ops:
        yield application


async def ids(tables: Tables) -> list[int]:
    found = await tables.column("select id from opwright.operations order by id")
    assert await tables.column("select operation from opwright.ready order by operation") == found
    return found


@both_ways
async def test_a_submit_stores_once(application: Application, tables: Tables, wire: Wire, *, reaches: bool) -> None:
    """It is sent again under the same id: refused as a duplicate, or taken now."""
    wire.lose_answer(b"double", b":21}", reaches=reaches)
    handle = await application.double.submit(21)
    assert wire.lost.is_set()
    assert await ids(tables) == [handle.id]


@both_ways
async def test_many_submits_store_once(application: Application, tables: Tables, wire: Wire, *, reaches: bool) -> None:
    """All or none, and not twice."""
    wire.lose_answer(b"double", b":199", reaches=reaches)
    handles = await application.double.submit_many([(number,) for number in range(200)])
    assert wire.lost.is_set()
    assert await ids(tables) == [handle.id for handle in handles]


@both_ways
@pytest.mark.parametrize("on_conflict", ["fail", "skip", "replace"])
async def test_a_keyed_submit_stores_once(
    application: Application, tables: Tables, wire: Wire, on_conflict: str, *, reaches: bool
) -> None:
    """Its own key is no obstacle."""
    wire.lose_answer(b"COMMIT;", reaches=reaches)
    handle = await application.double.options(key="k", on_conflict=on_conflict).submit(21)
    assert wire.lost.is_set()
    assert await ids(tables) == [handle.id]
    with pytest.raises(KeyTaken):
        await application.double.options(key="k").submit(21)


def held_back(monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """What is sent again after a lost answer waits: it sets the first event, and goes on with the second."""
    repeated, go = asyncio.Event(), asyncio.Event()
    settled = surely._settled

    async def later(repeat: object, lost: StoreUncertain) -> object:
        repeated.set()
        await go.wait()
        return await settled(repeat, lost)  # type: ignore[arg-type]

    monkeypatch.setattr(surely, "_settled", later)
    return repeated, go


async def test_a_keyed_submit_that_has_ended_meanwhile_stores_once(
    application: Application, tables: Tables, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It landed, was cancelled, and its key is free or another's: still it is not written again, nor the other one replaced."""
    on_its_way = application.double.options(key="k", on_conflict="replace")
    repeated, go = held_back(monkeypatch)
    wire.lose_answer(b"COMMIT;")
    submitting = asyncio.create_task(_awaited(on_its_way, 21))
    await repeated.wait()
    (first,) = await ids(tables)
    direct = Application(tables.url)
    async with direct.ops:
        assert await direct.ops.handle(first).cancel()
        other = await direct.double.options(key="k").submit(22)
        go.set()
        assert await submitting == first
        assert await other.status() is Status.PENDING
    assert await tables.column("select id from opwright.operations order by id") == [first, other.id]


async def test_a_submit_that_was_over_and_due_for_deletion_stores_once(
    application: Application, tables: Tables, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record is spared while it may be sent again: or it would be stored, and done, a second time."""
    repeated, go = held_back(monkeypatch)
    wire.lose_answer(b"double", b":21}")
    submitting = asyncio.create_task(_awaited(application.double, 21))
    await repeated.wait()
    (first,) = await ids(tables)
    direct = Application(tables.url)
    async with direct.ops:
        assert await direct.ops.handle(first).cancel()
        sweeps = (await direct.ops.client.store()).sweeps
        assert not await CoreJobSweeper(sweeps, SystemClock(), Retention(0, 0, 0), 60.0).run_once()
        go.set()
        assert await submitting == first
    assert await tables.column("select status from opwright.outcomes") == [int(OutcomeCode.CANCELLED)]
    assert await tables.column("select operation from opwright.ready") == []


async def _awaited(trigger: object, number: int) -> int:
    handle = await trigger.submit(number)  # type: ignore[attr-defined]
    return int(handle.id)


@both_ways
async def test_a_cancel_tells_the_truth(application: Application, wire: Wire, *, reaches: bool) -> None:
    """It has cancelled, though the second time there was nothing left to cancel."""
    handle = await application.double.submit(21)
    wire.lose_answer(b"COMMIT;", reaches=reaches)
    assert await handle.cancel()
    assert wire.lost.is_set()
    assert await handle.status() is Status.CANCELLED
    assert not await handle.cancel()


@both_ways
async def test_a_retry_submits_once(application: Application, tables: Tables, wire: Wire, *, reaches: bool) -> None:
    """One new operation, and its handle."""
    first = await application.double.submit(21)
    await first.cancel()
    wire.lose_answer(b"COMMIT;", reaches=reaches)
    again = await first.retry()
    assert wire.lost.is_set()
    assert await tables.column("select id from opwright.operations order by id") == [first.id, again.id]


@both_ways
async def test_a_resume_is_given_once(application: Application, tables: Tables, wire: Wire, *, reaches: bool) -> None:
    """A value that was given twice would answer two waits. The same value, given by two, is two."""
    handle = await application.double.submit(21)
    assert await handle.resume("yes")
    wire.lose_answer(b"COMMIT;", reaches=reaches)
    assert await handle.resume("yes")
    assert wire.lost.is_set()
    assert await tables.column("select jsonb_array_length(answers) from opwright.waits") == [2]
    assert len(await tables.column("select distinct text from opwright.operationstatus")) == 2
    assert await tables.count("operationstatus") == 2


async def test_a_resume_that_is_still_being_written_is_waited_for(application: Application, tables: Tables) -> None:
    """The second looks for the line of the first when the first is over, not before."""
    handle = await application.double.submit(21)
    gateway = (await application.ops.client.store()).operations
    raw = await asyncpg.connect(tables.url)
    try:
        transaction = raw.transaction()
        await transaction.start()
        await raw.execute(f"insert into opwright.waits values ({handle.id}, 0, '[\"1\"]')")
        await raw.execute(
            "insert into opwright.operationstatus (operation, at, attempt, kind, text) "
            f"values ({handle.id}, 0, 0, {int(NoteKind.RESUMED)}, 'resumed (answer 1)')"
        )
        again = asyncio.ensure_future(gateway._resume_again(handle.id, "1", "resumed (answer 1)"))
        await eventually(lambda: _waits_for_a_lock(tables), what="it waits for the first")
        await transaction.commit()
        assert await again
    finally:
        await raw.close()
    assert await tables.column("select jsonb_array_length(answers) from opwright.waits") == [1]
    assert await tables.count("operationstatus") == 1


async def _waits_for_a_lock(tables: Tables) -> bool:
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    return bool(await tables.value(waiting))


async def test_a_resume_of_what_has_ended_meanwhile_tells_the_truth(
    application: Application, tables: Tables, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was given before the end, though now there is nothing left to give it to."""
    direct, settled = Application(tables.url), surely._settled
    handle = await application.double.submit(21)

    async def later(repeat: object, lost: StoreUncertain) -> object:
        assert await direct.ops.handle(handle.id).cancel()
        return await settled(repeat, lost)  # type: ignore[arg-type]

    monkeypatch.setattr(surely, "_settled", later)
    wire.lose_answer(b"COMMIT;")
    async with direct.ops:
        assert await handle.resume("yes")
    assert not await handle.resume("no")


async def test_a_question_is_asked_again(application: Application, wire: Wire) -> None:
    """Reading twice hurts nobody."""
    handle = await application.double.submit(21)
    for line in list(wire.lines):
        line.cut()
    assert await handle.status() is Status.PENDING


async def test_while_the_database_stays_away_nothing_is_claimed_to_be_known(
    application: Application, tables: Tables, wire: Wire, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while the caller hears that it may be stored or not; what was never sent is simply not stored."""
    monkeypatch.setattr(surely, "SECONDS", 0.3)
    wire.lose_answer(b"double", b":21}", reaches=False)
    submitting = asyncio.create_task(_awaited(application.double, 21))
    await wire.lost.wait()
    postgres_server.stop()
    with pytest.raises(StoreUncertain, match="may be stored or not"):
        await submitting
    with pytest.raises(StoreUnavailable) as refused:
        await application.double.submit(22)
    assert not isinstance(refused.value, StoreUncertain)
    postgres_server.start()
    assert await ids(tables) == []

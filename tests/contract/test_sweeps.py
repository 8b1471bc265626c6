"""Deleting records: each goes once, whoever else is at it, and nothing waits for it."""

import asyncio
from datetime import UTC, datetime

import pytest

from opwright.clock import TurnedClock
from opwright.errors import OperationNotFound
from opwright.store.engine import Lane
from opwright.store.listing import Listing
from opwright.store.postgresql import PostgresEngine
from opwright.store.store import Store
from tests.contract.kit import FAILURE, Member, operation, promptly, query
from tests.maintenance.kit import DAY, ended, heartbeat, left, recorded, sweeper


@pytest.fixture
def clock() -> TurnedClock:
    """Starts where ids are made: at the present."""
    return TurnedClock(datetime.now(UTC))


async def test_two_hosts_delete_each_record_once(store: Store, other: Store, host: Member, clock: TurnedClock) -> None:
    """At the same time, by two rules: together they tell of each operation a single time."""
    identifiers = await ended(store, host, FAILURE, 1500)
    clock.turn(15 * DAY)
    runs = (sweeper(store, clock), sweeper(other, clock), heartbeat(store, clock), heartbeat(other, clock))
    deleted = await promptly(asyncio.gather(*(run.run_once() for run in runs)))
    for run in runs:  # what one passed by because another held it
        deleted.append(await run.run_once())
    assert sum(each.total() for each in deleted) == len(identifiers)
    assert await recorded(store) == []
    assert await left(store) == {}


async def test_one_host_has_the_turn(store: Store, other: Store, clock: TurnedClock) -> None:
    """However many ask for it at once; and after the interval another one."""
    for _ in range(5):
        turns = await asyncio.gather(*(each.sweeps.claim("one", 60) for each in (store, other) for _ in range(5)))
        assert sum(turns) == 1
        clock.turn(60)


async def test_a_retry_meets_a_sweep(store: Store, other: Store, host: Member, clock: TurnedClock) -> None:
    """An operation is found, or not found: either way the retry runs once or not at all, and no row is left alone."""
    for _ in range(20):
        (identifier,) = await ended(store, host, FAILURE)
        clock.turn(15 * DAY)
        again, deleted = await promptly(
            asyncio.gather(other.operations.retry(identifier), sweeper(store, clock).run_once(), return_exceptions=True)
        )
        assert isinstance(again, int | OperationNotFound)
        claims = await host.claim()
        assert [claim.operation for claim in claims] == ([again] if isinstance(again, int) else [])
        await host.settle(*((claim, FAILURE) for claim in claims))
        assert not isinstance(deleted, BaseException)
        clock.turn(15 * DAY)
        for _ in range(2):
            await sweeper(store, clock).run_once()
        assert await recorded(store) == []
        assert await left(store) == {}


async def test_what_a_retry_holds_is_kept_for_now(store: Store, host: Member, clock: TurnedClock) -> None:
    """A transaction that retries it and is not over makes no sweep wait; the next one deletes it."""
    (identifier,) = await ended(store, host, FAILURE)
    clock.turn(15 * DAY)
    if isinstance(store.engine, PostgresEngine):
        raw = (await store.engine.connect(Lane.CLIENT)).raw
        async with raw.transaction():
            await raw.fetch(store.engine.statements["request"].parts[0].sql, identifier)
            assert not await promptly(sweeper(store, clock).run_once())
        await raw.close()
    for _ in range(2):
        await sweeper(store, clock).run_once()
    assert await recorded(store) == []


async def test_only_what_has_ended_is_deleted_whatever_is_asked(store: Store, host: Member) -> None:
    """The statement itself judges: a defect above it cannot delete what runs."""
    ready, running = operation(), operation()
    await store.operations.submit([running])
    await host.take()
    await store.operations.submit([ready])
    assert await store.sweeps.delete([ready.id, running.id, 5]) == []
    assert await recorded(store) == sorted([running.id, ready.id])


async def test_a_slot_of_what_is_not_recorded_is_told(store: Store) -> None:
    """`opwright check` would not find it otherwise, and its lane would be one short for ever."""
    await query(store, "insert into opwright.slots (lane, number, operation) values ('a', 1, 5)")
    assert await Listing(store.engine).leaked_slots() == [("a", 5)]


async def test_claims_go_on_while_records_are_deleted(store: Store, other: Store, host: Member, clock: TurnedClock) -> None:
    """A sweep holds nothing that a claim, an end or a renewal asks for."""
    await ended(store, host, FAILURE, 2000)
    clock.turn(15 * DAY)
    sweep = asyncio.create_task(sweeper(other, clock).run_once())
    done = 0
    while not sweep.done():
        done += len(await promptly(ended(store, host, count=5)))
        await promptly(host.renew())
    assert (await sweep).total() == 2000
    assert done > 0


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one writer
async def test_a_sweep_that_takes_long_keeps_no_renewal_of_its_own_host_waiting(store: Store, host: Member) -> None:
    """Or the host would lose its lease to its own clean-up."""
    assert isinstance(store.engine, PostgresEngine)
    async with store.engine.transaction() as raw:
        await raw.execute("lock table opwright.sweeps")
        turn = asyncio.create_task(store.sweeps.claim("one", 60))
        await asyncio.sleep(0)
        assert (await promptly(host.renew())).renewed
        assert not turn.done()
    assert await promptly(turn)

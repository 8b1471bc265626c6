"""The rule of the DAM framework: failed operations are deleted by their age since the submit, and by their number."""

import logging

import pytest

from opwright.clock import SECOND, TurnedClock
from opwright.maintenance import failure_operation_heartbeat
from opwright.model.status import OutcomeCode
from opwright.store.store import Store
from tests.contract.kit import CANCELLATION, FAILURE, Member, operation, retry, submit
from tests.maintenance.kit import DAY, HOUR, ended, heartbeat, left, recorded


async def test_a_failed_operation_is_deleted_by_its_age(store: Store, host: Member, clock: TurnedClock) -> None:
    """Not before it is a day old."""
    (old,) = await ended(store, host, FAILURE)
    clock.turn(DAY - HOUR)
    (young,) = await ended(store, host, FAILURE)
    assert not await heartbeat(store, clock).run_once()
    assert await recorded(store) == [old, young]
    clock.turn(HOUR + 1)
    assert await heartbeat(store, clock).run_once() == {OutcomeCode.FAILED: 1}
    assert await recorded(store) == [young]
    assert await left(store) == {}


async def test_its_age_is_that_since_the_submit(store: Store, host: Member, clock: TurnedClock) -> None:
    """One that failed a moment ago, after a day and more of waiting and trying, is deleted."""
    (identifier,) = await submit(store)
    claim = await host.take()
    clock.turn(DAY + 1)
    await host.end(claim, FAILURE)
    assert await heartbeat(store, clock).run_once() == {OutcomeCode.FAILED: 1}
    assert identifier not in await recorded(store)


@pytest.mark.parametrize(("failed", "deleted"), [(4, 0), (5, 1), (8, 4)])
async def test_the_oldest_go_when_the_number_is_reached(
    store: Store, host: Member, clock: TurnedClock, failed: int, deleted: int
) -> None:
    """At five of five one goes, so that there are four; however young they are."""
    identifiers = await ended(store, host, FAILURE, failed)
    assert (await heartbeat(store, clock, records=5).run_once()).total() == deleted
    assert await recorded(store) == identifiers[deleted:]


async def test_the_oldest_are_those_that_were_submitted_first(store: Store, host: Member, clock: TurnedClock) -> None:
    """Though they were the last to fail."""
    first, second, third = await submit(store, 3)
    claims = {claim.operation: claim for claim in await host.claim()}
    for identifier in (third, second, first):
        clock.turn(1)
        await host.end(claims[identifier], FAILURE)
    await heartbeat(store, clock, records=3).run_once()
    assert await recorded(store) == [second, third]


async def test_either_threshold_suffices(store: Store, host: Member, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are too old and those that are too many go in one run, in whatever windows they lie."""
    monkeypatch.setattr(failure_operation_heartbeat, "LOOK", 3)
    await ended(store, host, FAILURE, 10)
    clock.turn(DAY + 1)
    young = await ended(store, host, FAILURE, 10)
    assert (await heartbeat(store, clock, records=8).run_once()).total() == 13
    assert await recorded(store) == young[3:]


async def test_what_has_not_failed_is_left_alone(store: Store, host: Member, clock: TurnedClock) -> None:
    """Succeeded, cancelled, ready, running, waiting: however old, however many."""
    kept = [*await ended(store, host, count=10), *await ended(store, host, CANCELLATION, 10)]
    kept += await submit(store, 3)
    claims = await host.claim(2)
    await host.end(claims[0], retry(claims[0], delay=1000 * DAY))
    delayed = operation(wait=round(1000 * DAY * SECOND))
    await store.operations.submit([delayed])
    clock.turn(100 * DAY)
    assert not await heartbeat(store, clock, records=1).run_once()
    assert await recorded(store) == sorted([*kept, delayed.id])


async def test_each_deletion_is_logged(store: Store, host: Member, clock: TurnedClock, caplog: pytest.LogCaptureFixture) -> None:
    """Which operation it was, when it was submitted, when it ended, and why it failed."""
    identifiers = await ended(store, host, FAILURE, 3)
    clock.turn(DAY + 1)
    with caplog.at_level(logging.INFO, "opwright"):
        await heartbeat(store, clock).run_once()
    lines = [one.getMessage() for one in caplog.records]
    assert [line.split(":")[1] for line in lines] == [f" deleted operation {identifier}" for identifier in identifiers]
    for line in lines:
        assert line.startswith("failureOperationHeartbeat: ")
        assert ": work FAILED, submitted 20" in line
        assert ", ended 20" in line
        assert line.endswith("+00:00: it broke")

"""The retention rule of events: Processed for an hour, Discarded like what else failed, New for ever."""

import pytest

from opwright.clock import TurnedClock
from opwright.commands.events import QUEUE
from opwright.maintenance.db_event_log_trimmer import AGE, INTERVAL, DbEventLogTrimmer
from opwright.model.claim import Verdict
from opwright.store.store import Store
from tests.contract.kit import CANCELLATION, FAILURE, SUCCESS, Member, operation
from tests.maintenance.kit import DAY, HOUR, ended, left, recorded, sweeper


async def event(store: Store, host: Member, verdict: Verdict | None = SUCCESS) -> int:
    """An event that has just ended, or has not."""
    new = operation(queue=QUEUE)
    await store.operations.submit([new])
    if verdict is not None:
        (claim,) = await host.claim(queue=QUEUE)
        assert await host.end(claim, verdict)
    return new.id


def trimmer(store: Store, clock: TurnedClock) -> DbEventLogTrimmer:
    return DbEventLogTrimmer(store.sweeps, clock)


def test_it_has_the_name_and_the_times_of_the_seed(store: Store, clock: TurnedClock) -> None:
    one = trimmer(store, clock)
    assert (one.name, AGE, one.interval) == ("DbEventLogTrimmer", HOUR, INTERVAL)


async def test_a_processed_event_is_trimmed_after_an_hour(store: Store, host: Member, clock: TurnedClock) -> None:
    """What else succeeded stays its day."""
    processed, (work,) = await event(store, host), await ended(store, host)
    clock.turn(HOUR - 60)
    assert not await trimmer(store, clock).run_once()
    assert await recorded(store) == [processed, work]
    clock.turn(61)
    assert (await trimmer(store, clock).run_once()).total() == 1
    assert (await recorded(store), await left(store)) == ([work], {})


async def test_an_event_that_ends_late_is_found_in_a_later_round(store: Store, host: Member, clock: TurnedClock) -> None:
    """It was passed by when its neighbours went."""
    slow = await event(store, host, None)
    (claim,) = await host.claim(queue=QUEUE)
    quick = await event(store, host)
    clock.turn(2 * HOUR)
    assert (await trimmer(store, clock).run_once()).total() == 1
    assert await recorded(store) == [slow] != [quick]
    assert await host.end(claim)
    clock.turn(2 * HOUR)
    for _ in range(2):
        await trimmer(store, clock).run_once()
    assert slow not in await recorded(store)


@pytest.mark.parametrize(("verdict", "kept"), [(FAILURE, 14 * DAY), (CANCELLATION, DAY)], ids=["failed", "cancelled"])
async def test_a_discarded_event_is_kept_like_any_operation_of_its_status(
    store: Store, host: Member, clock: TurnedClock, verdict: Verdict, kept: float
) -> None:
    discarded = await event(store, host, verdict)
    clock.turn(kept - HOUR)
    assert not await trimmer(store, clock).run_once()
    assert not await sweeper(store, clock).run_once()
    assert await recorded(store) == [discarded]
    clock.turn(HOUR + 1)
    assert not await trimmer(store, clock).run_once()
    assert (await sweeper(store, clock).run_once()).total() == 1


async def test_a_new_event_is_never_trimmed(store: Store, host: Member, clock: TurnedClock) -> None:
    """However old, whether it waits or is being carried out."""
    waiting = [await event(store, host, None) for _ in range(2)]
    assert len(await host.claim(1, queue=QUEUE)) == 1
    clock.turn(1000 * DAY)
    assert not await trimmer(store, clock).run_once()
    assert not await sweeper(store, clock).run_once()
    assert await recorded(store) == waiting

"""The log of commands is trimmed by age, and never of what a reader may not have seen yet."""

from __future__ import annotations

from collections import Counter

import asyncpg
import pytest

from opwright.clock import SECOND, TurnedClock
from opwright.maintenance.core_job_manager import CoreJobManager
from opwright.maintenance.log_trimmer import NAME, DbOperationLogTrimmer
from opwright.maintenance.sweep import BATCH
from opwright.store.log import SPARED
from opwright.store.store import Store
from opwright.telemetry import recorded
from tests.contract.kit import query
from tests.contract.log_kit import entry, put, write

KEPT, TURN = 1800.0, 900.0


def manager(store: Store, clock: TurnedClock, keep: float = KEPT) -> CoreJobManager:
    """What gives it its turns."""
    return CoreJobManager([DbOperationLogTrimmer(store.log, store.sweeps, clock, keep, TURN)], store.sweeps, clock)


async def turn(store: Store, clock: TurnedClock, keep: float = KEPT) -> list[str]:
    """A turn of whatever host comes next; what is left of the log."""
    clock.turn(1.25 * TURN)
    await manager(store, clock, keep).run_once()
    return [row[0] for row in await query(store, "select command from opwright.operation_log order by position")]


async def test_an_entry_that_has_not_reached_the_age_survives_every_trim(store: Store, clock: TurnedClock) -> None:
    """The old ones go, whichever host has the turn."""
    await write(store, entry("old", at=clock.now()))
    assert await turn(store, clock) == ["old"]
    await write(store, entry("young", at=clock.now()))
    assert [await turn(store, clock) for _ in range(2)] == [["young"], []]


async def test_whoever_has_the_turn_goes_on_where_another_host_left_off(store: Store, other: Store, clock: TurnedClock) -> None:
    """The horizon is kept in the database: hosts that come and go trim all the same."""
    await write(store, entry("old", at=clock.now() - 2 * round(KEPT) * SECOND))
    assert await turn(store, clock) == ["old"]
    assert await turn(other, clock) == []


async def test_what_was_committed_late_stays_however_old_it_says_it_is(store: Store, clock: TurnedClock) -> None:
    """Its writer's clock may be behind, or its commit may have taken long: every reader has ten minutes to read it."""
    await turn(store, clock)
    await write(store, entry("late", at=1))
    trimmer = DbOperationLogTrimmer(store.log, store.sweeps, clock, KEPT, TURN)
    await trimmer.run_once()
    clock.turn(SPARED + 1)
    assert await trimmer.run_once() == Counter()  # now there is a horizon behind it
    clock.turn(SPARED - 1)
    assert await trimmer.run_once() == Counter()
    clock.turn(2)
    assert await trimmer.run_once() == Counter({"entries": 1})


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_what_an_open_transaction_has_written_is_not_trimmed_when_it_is_committed(store: Store, clock: TurnedClock) -> None:
    """However many turns it was open for."""
    writer = await asyncpg.connect(store.engine.url)
    async with writer.transaction():
        await put(writer, store, entry("open", at=1))
        for _ in range(3):
            await turn(store, clock)
    await writer.close()
    assert [await turn(store, clock), await turn(store, clock)] == [["open"], []]


async def test_a_clock_that_was_set_back_trims_nothing_too_early(store: Store, clock: TurnedClock) -> None:
    """How old the horizon is nobody knows then; another one is noted."""
    await turn(store, clock)
    await write(store, entry("late", at=1))
    clock.turn(-10 * TURN)
    trimmer = DbOperationLogTrimmer(store.log, store.sweeps, clock, 0, TURN)
    assert await trimmer.run_once() == Counter()
    clock.turn(SPARED + 1)
    assert await trimmer.run_once() == Counter({"entries": 1})


async def test_no_two_turns_are_the_same_time_apart(store: Store, clock: TurnedClock) -> None:
    trimmer = DbOperationLogTrimmer(store.log, store.sweeps, clock, KEPT, TURN)
    before = trimmer.interval
    await trimmer.run_once()
    assert trimmer.interval != before
    assert 0.75 * TURN <= trimmer.interval <= 1.25 * TURN


async def test_a_large_log_is_trimmed_in_batches_and_told_of_once(
    store: Store, clock: TurnedClock, caplog: pytest.LogCaptureFixture
) -> None:
    await write(store, *[entry(at=clock.now()) for _ in range(BATCH + 1)])
    clock.turn(KEPT)
    with caplog.at_level("INFO", "opwright"), recorded() as events:
        assert len(await turn(store, clock)) == BATCH + 1
        assert await turn(store, clock) == []
    assert [one.getMessage() for one in caplog.records] == [f"{NAME}: deleted {BATCH + 1} entries of the log in 0.0 s"]
    assert [fields["deleted"] for name, fields in events if name == "sweep.done"] == [{}, {"entries": BATCH + 1}]

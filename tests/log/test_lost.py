"""What may have been missed: everything that is cached is invalidated, and that is said once."""

from __future__ import annotations

import pytest

from opwright.clock import TurnedClock
from opwright.log.reader import TRUST
from opwright.telemetry import recorded
from tests.log.kit import Shop, lines, stepped


async def test_who_has_not_read_for_longer_than_entries_are_certain_to_stay_invalidates_everything(
    here: Shop, there: Shop, clock: TurnedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """And says so once."""
    async with stepped(here) as reader, there.ops:
        clock.turn(TRUST + 1)
        with recorded() as events:
            await reader.run_once()
            assert len(lines(caplog, "ERROR")) == 1
            await here.read()
            await reader.run_once()
        assert here.runs == {"cup": 2, "pot": 2, "total": 2}
        assert [name for name, _ in events if name == "log.lost"] == ["log.lost"]
        assert reader.status().lost == 1
        await there.sell("cup", 5)
        await reader.run_once()
        assert await here.read() == [5, 20, 25]


async def test_a_pause_in_which_nothing_can_have_been_trimmed_loses_nothing(here: Shop, there: Shop, clock: TurnedClock) -> None:
    async with stepped(here) as reader, there.ops:
        await there.sell("cup", 5)
        clock.turn(TRUST - 1)
        await reader.run_once()
        assert await here.read() == [5, 20, 25]
    assert here.runs["pot"] == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_database_in_the_place_of_another_invalidates_everything(here: Shop, postgres_server: object) -> None:
    """As when it was restored under a reader that runs on."""
    with postgres_server.database() as url:  # type: ignore[attr-defined]
        async with stepped(here) as reader:
            back = here.ops.client.move(url, here.ops.client.clock, "opwright")
            await reader.run_once()
            await here.ops.client.close()
            back()
            assert reader.status().lost == 1
            await here.read()
    assert here.runs == {"cup": 2, "pot": 2, "total": 2}


async def test_a_database_that_was_set_back_invalidates_everything(here: Shop, there: Shop, database_url: str) -> None:
    """On SQLite the positions tell, on PostgreSQL the transactions."""
    async with stepped(here) as reader, there.ops:
        end = reader._end
        assert end is not None
        reader._end = end._replace(newest=end.newest + 1_000_000)
        await reader.run_once()
        assert reader.status().lost == 1
        assert await here.read() == [3, 20, 23]
    assert here.runs == {"cup": 2, "pot": 2, "total": 2}

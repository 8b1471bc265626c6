"""Without a watcher: the database alone, looked at every few seconds. With one on SQLite: a folder beside the file."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from opwright import ConfigurationError, NoDbLogWatcher
from opwright.app.station_watcher import AGAIN
from opwright.clock import TurnedClock
from opwright.telemetry import recorded
from tests.kit.waiting import eventually
from tests.log.kit import Shop, follows, lines

LONGEST = 5.0  # the seed's polling period
NEVER = 3600.0
PATIENCE = 20.0


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("watcher", ["none", "auto"])
async def test_an_entry_is_seen_within_five_seconds_and_much_sooner_with_a_watcher(
    database_url: str, prices: dict[str, int], watcher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody asks for it; nothing but the database is needed, or what lies beside it.

    Without a watcher the next look sees it, and no two are more than five seconds apart. With one, no look need be due.
    """
    if watcher == "auto":
        monkeypatch.setattr("opwright.log.reader.PERIOD", NEVER)
    here, there = (Shop(database_url, prices, log_watcher=watcher) for _ in range(2))
    async with here.ops, there.ops:
        begun, pauses, look = list[bool](), list[float](), here.reader.run_once

        async def noted() -> float:
            begun.append(True)
            pauses.append(await look())
            return pauses[-1]

        monkeypatch.setattr(here.reader, "run_once", noted)
        await here.read()
        cached = await here.total.computed()
        await follows(here)
        if watcher == "auto":  # the others are told from its first commit on, and it listens from its first value on
            await there.sell("cup", 4)
            await asyncio.wait_for(cached.when_invalidated(), PATIENCE)
            await here.read()
            cached = await here.total.computed()
        await there.sell("cup", 5)
        before = len(begun)
        await asyncio.wait_for(cached.when_invalidated(), PATIENCE)
        if watcher == "none":
            assert len(begun) <= before + 1
            assert max(pauses) <= LONGEST
        assert await here.read() == [5, 20, 25]


async def test_an_application_that_is_opened_follows_and_one_that_is_closed_does_not(
    database_url: str, prices: dict[str, int]
) -> None:
    """A web process, for example, between its start-up and its shutdown."""
    here = Shop(database_url, prices)
    async with here.ops:
        await here.read()
        await eventually(lambda: here.ops.log_status().following)
        assert here.reader.running
        reader = here.reader
    assert not reader.running
    assert not here.ops.log_status().following


class Unable(NoDbLogWatcher):
    """A watcher that cannot work here."""

    async def start(self, wake: object) -> None:
        raise ConfigurationError("the folder cannot be written to")


@pytest.mark.parametrize("first", ["read", "commit"])
async def test_a_watcher_that_cannot_start_is_told_of_and_the_log_is_read_all_the_same(
    database_url: str, prices: dict[str, int], caplog: pytest.LogCaptureFixture, first: str
) -> None:
    """By polling. It is one line, whether a reader or a commit comes first, and no step and no command has failed."""
    here, there = Shop(database_url, prices, log_watcher=Unable), Shop(database_url, prices)
    async with here.ops, there.ops:
        if first == "commit":
            await here.sell("cup", 4)
        with recorded() as events:
            await here.read()
            await here.ops.caught_up(await there.sell("cup", 5))
        assert await here.read() == [5, 20, 25]
        await here.sell("cup", 6)
    polling = "this process and the others find each other's commits by polling. It is tried again every 60 s"
    assert lines(caplog, "ERROR") == [f"Unable: the folder cannot be written to; {polling}"]
    assert [record for record in caplog.records if record.exc_info] == []
    assert [fields for name, fields in events if name == "service.failed"] == []


@pytest.mark.parametrize(("asked_by", "error"), [("read", ConfigurationError), ("commit", ConfigurationError), ("read", OSError)])
async def test_a_watcher_that_could_not_start_is_tried_again_each_minute(  # noqa: PLR0917 - pytest hands over by name
    database_url: str,
    prices: dict[str, int],
    clock: TurnedClock,
    caplog: pytest.LogCaptureFixture,
    asked_by: str,
    error: type[Exception],
) -> None:
    """Somebody has made the folder meanwhile: nobody needs to start the process again. It is said once, and when it works."""
    caplog.set_level(logging.INFO, "opwright")
    starts: list[bool] = []

    class Late(NoDbLogWatcher):
        async def start(self, wake: Callable[[], None]) -> None:
            starts.append(len(starts) == 2)
            if not starts[-1]:
                raise error("the folder cannot be written to")

    here = Shop(database_url, prices, clock, Late)

    async def asks() -> None:
        await (here.sell("cup", 4) if asked_by == "commit" else here.reader.run_once())

    async with here.ops:
        await here.read()
        await here.reader.stop()  # its steps are ours
        for number in (1, 2, 3):
            await asks()
            clock.turn(AGAIN - 1)
            await asks()
            assert len(starts) == number
            clock.turn(1)
        await asks()
    assert starts == [False, False, True]
    assert [line.partition(";")[0] for line in lines(caplog, "ERROR")] == ["Late: the folder cannot be written to"]
    assert lines(caplog, "INFO")[-1] == "Late works now"

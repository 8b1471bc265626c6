"""When the log is read at all: as long as something here depends on it, from the first value on."""

from __future__ import annotations

import asyncio

import pytest

from opwright import Completion, ConfigurationError, InvalidOperation, LogEntry, Opwright
from opwright.telemetry import recorded
from tests.kit.waiting import eventually
from tests.kit.wire import wire_to
from tests.log.kit import Shop, stepped


async def test_as_long_as_nothing_is_cached_nothing_is_asked_of_the_database(prices: dict[str, int]) -> None:
    """There is none."""
    shop = Shop("postgresql://postgres@127.0.0.1:9/nothing", prices)
    await shop.ops.reading.enter()
    await shop.reader.run_once()
    assert not shop.reader.status().following
    await shop.ops.reading.leave()


async def test_a_process_without_commands_reads_nothing_whatever_it_caches(database_url: str) -> None:
    ops = Opwright(database_url)

    @ops.computed
    async def one() -> int:
        return 1

    async with ops:
        assert await one() == 1
        assert not ops.log_status().following


async def test_when_the_last_value_is_gone_reading_ends(here: Shop, there: Shop) -> None:
    """And what is cached later is read for again."""
    async with stepped(here) as reader, there.ops:
        here.ops.invalidate_all()
        await reader.run_once()
        assert not reader.status().following
        await there.sell("cup", 5)
        await reader.start()
        await here.read()
        await here.ops.caught_up(await there.sell("pot", 30))
        assert await here.read() == [5, 30, 35]
    assert here.invalidated == ["pot"]


async def test_a_listener_alone_is_reason_to_read(here: Shop, there: Shop) -> None:
    heard: list[LogEntry] = []

    @here.ops.on_completion
    async def hear(completion: Completion) -> None:
        heard.append(completion.entry)

    async with stepped(here) as reader, there.ops:
        here.ops.invalidate_all()
        await reader.run_once()
        identifier = await there.sell("cup", 5)
        await reader.run_once()
    assert [entry.id for entry in heard] == [identifier]


def test_a_listener_is_asynchronous(here: Shop) -> None:
    with pytest.raises(ConfigurationError, match="is not an async function"):
        here.ops.on_completion(print)  # type: ignore[type-var]


async def test_a_first_value_is_computed_once_and_nothing_is_missed_from_then_on(here: Shop, there: Shop) -> None:
    """Its computing waits for the reading to begin: what is committed while the body runs is read."""
    begun, go = asyncio.Event(), asyncio.Event()

    @here.ops.computed
    async def slow() -> int:
        value = await here.price("cup")
        begun.set()
        await go.wait()
        return value

    async with here.ops, there.ops:
        computing = asyncio.create_task(slow())
        await begun.wait()
        assert here.ops.log_status().following
        await here.ops.caught_up(await there.sell("cup", 5))
        go.set()
        assert await computing == 3
        assert await slow() == 5


async def test_what_was_cached_before_the_application_was_opened_is_invalidated_when_it_is(here: Shop, there: Shop) -> None:
    """Nobody knows what was committed meanwhile."""
    await here.read()
    async with there.ops:
        await there.sell("cup", 5)
    async with here.ops:
        await here.ops.caught_up(1)
        assert await here.read() == [5, 20, 25]


async def test_a_value_is_computed_though_the_database_is_away(prices: dict[str, int]) -> None:
    """And invalidated when reading begins at last."""
    shop = Shop("postgresql://postgres@127.0.0.1:9/nothing", prices)
    await shop.ops.reading.enter()
    assert await shop.read() == [3, 20, 23]
    await shop.ops.reading.leave()


async def test_who_has_nothing_to_ask_any_more_does_not_say_that_the_database_is_back(prices: dict[str, int]) -> None:
    shop = Shop("postgresql://postgres@127.0.0.1:9/nothing", prices)
    with recorded() as events:
        await shop.ops.reading.enter()
        await shop.read()
        await eventually(lambda: shop.reader.failing)
        shop.ops.invalidate_all()
        await eventually(lambda: not shop.reader.failing)
        await shop.ops.reading.leave()
    assert [name for name, _ in events if name.startswith("outage.")] == ["outage.began"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_database_that_could_not_even_be_opened_is_told_of_when_it_is_back(
    database_url: str, prices: dict[str, int]
) -> None:
    """As in a worker process, which opens it when it caches its first value."""
    async with wire_to(database_url) as wire:
        wire.starting = True
        here = Shop(wire.url(database_url), prices)
        with recorded() as events:
            await here.ops.reading.enter()
            await here.read()
            await eventually(lambda: here.reader.failing)
            wire.starting = False
            await eventually(lambda: not here.reader.failing)
        await here.ops.reading.leave()
        await here.ops.client.close()
    told = [name for name, _ in events if name.startswith(("outage.", "log."))]
    assert told == ["outage.began", "log.followed", "outage.ended"]


async def test_a_process_that_reads_nothing_says_so(here: Shop) -> None:
    with pytest.raises(InvalidOperation, match="open the application"):
        await here.ops.caught_up(1)
    assert not here.ops.log_status().following

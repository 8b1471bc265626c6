"""The watcher of a process: it is started by whoever needs it first, and whoever comes meanwhile waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from opwright import NoDbLogWatcher
from tests.kit.waiting import eventually
from tests.log.kit import Shop


class Slow(NoDbLogWatcher):
    """A watcher that needs a while to begin. ``told``: whether it had begun, for each commit that it was told of."""

    def __init__(self, origin: Callable[[], int]) -> None:
        super().__init__(origin)
        self.starts = self.stops = 0
        self.beginning, self.begun = asyncio.Event(), asyncio.Event()
        self.told: list[bool] = []

    async def start(self, wake: Callable[[], None]) -> None:
        self.starts += 1
        self.beginning.set()
        await self.begun.wait()

    async def stop(self) -> None:
        self.stops += 1

    async def changed(self) -> None:
        self.told.append(self.begun.is_set())


@pytest.fixture
def slow() -> Slow:
    return Slow(lambda: 7)


@pytest.fixture
def shop(database_url: str, prices: dict[str, int], slow: Slow) -> Shop:
    return Shop(database_url, prices, log_watcher=lambda _: slow)


async def test_a_commit_while_the_watcher_begins_is_told_when_it_has_begun(shop: Shop, slow: Slow) -> None:
    """A watcher sends nothing before it is started, so the others would find it by polling only."""
    async with shop.ops:
        reading = asyncio.create_task(shop.read())
        await slow.beginning.wait()
        selling = asyncio.create_task(shop.sell("cup", 5))
        await eventually(lambda: bool(shop.invalidated))
        slow.begun.set()
        await asyncio.gather(reading, selling)
    assert (slow.told, slow.starts, slow.stops) == ([True], 1, 1)


async def test_a_watcher_whose_beginning_was_cut_short_is_begun_again(shop: Shop, slow: Slow) -> None:
    """Whoever began it was given up, because it hung."""
    async with shop.ops:
        reading = asyncio.create_task(shop.read())
        await slow.beginning.wait()
        shop.reader.interrupt()
        slow.begun.set()
        await reading
        await eventually(lambda: slow.starts == 2)
        await shop.sell("cup", 5)
    assert slow.told == [True]


async def test_after_the_end_no_watcher_is_begun(shop: Shop, slow: Slow) -> None:
    """A commit of another event loop may be told of as late as that; nobody would stop it any more."""
    slow.begun.set()
    await shop.ops.client.retain()
    async with shop.ops:
        station = shop.ops.reading._station
        assert station is not None
    await station.tell()
    await shop.ops.client.release()
    assert (slow.starts, slow.told) == (0, [])


class Stubborn(Slow):
    """One that takes a while to end."""

    def __init__(self, origin: Callable[[], int]) -> None:
        super().__init__(origin)
        self.ending, self.ended = asyncio.Event(), asyncio.Event()
        self.begun.set()

    async def stop(self) -> None:
        self.ending.set()
        await self.ended.wait()


async def test_a_change_of_database_that_was_cut_short_is_made_by_the_next(
    database_url: str, prices: dict[str, int], tmp_path: Path
) -> None:
    """While the watcher of the database before was stopped: that of the new one is begun all the same."""
    made: list[Stubborn] = []

    def make(origin: Callable[[], int]) -> Stubborn:
        made.append(Stubborn(origin))
        return made[-1]

    shop = Shop(database_url, prices, log_watcher=make)
    client = shop.ops.client
    async with shop.ops:
        await shop.sell("cup", 5)
        station = shop.ops.reading._station
        assert station is not None
        back = client.move(f"sqlite:///{tmp_path}/other.db", client.clock, client.shape.schema)
        telling = asyncio.create_task(station.tell())
        await made[0].ending.wait()
        telling.cancel()
        await asyncio.wait([telling])
        for one in made:
            one.ended.set()
        telling = asyncio.create_task(station.tell())
        await eventually(lambda: len(made) == 3)
        made[2].ended.set()
        await telling
        assert [(one.starts, one.told) for one in made] == [(1, [True]), (0, []), (1, [True])]
        await client.close()
        back()

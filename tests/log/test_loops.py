"""A process with several event loops: one of them reads for all, and another when that is gone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from opwright import InvalidOperation
from opwright.log.reader import LogStatus
from tests.kit.waiting import eventually
from tests.log.kit import Shop


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    async def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """What a coroutine gives that runs there."""
        running: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        return await asyncio.wrap_future(running)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture
def elsewhere() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


async def enter(shop: Shop) -> list[int]:
    await shop.ops.__aenter__()
    return await shop.read()


async def leave(shop: Shop) -> None:
    await shop.ops.__aexit__()


async def test_one_loop_reads_for_the_values_of_all(here: Shop, there: Shop, elsewhere: Loop) -> None:
    async with there.ops:
        async with here.ops:
            await here.read()
            assert await elsewhere.run(enter(here)) == [3, 20, 23]
            reader = here.reader
            await here.ops.caught_up(await there.sell("cup", 5))
            assert [await here.read(), await elsewhere.run(here.read())] == [[5, 20, 25]] * 2
            assert here.reader is reader
            assert here.invalidated == ["cup"]
        await elsewhere.run(leave(here))


async def test_when_the_loop_that_reads_leaves_another_one_reads(here: Shop, there: Shop, elsewhere: Loop) -> None:
    """What was committed in between is not missed: all values that there are by then are invalidated."""
    async with there.ops:
        async with here.ops:
            await here.read()
            await elsewhere.run(enter(here))
        await there.sell("cup", 5)
        await eventually(lambda: here.ops.reading._station is not None)
        await here.ops.caught_up(1)
        assert await elsewhere.run(here.read()) == [5, 20, 25]
        await elsewhere.run(here.ops.caught_up(await there.sell("cup", 6)))
        assert await elsewhere.run(here.read()) == [6, 20, 26]
        await elsewhere.run(leave(here))


async def test_a_loop_that_was_closed_without_leaving_keeps_no_other_from_reading(here: Shop, there: Shop) -> None:
    lost = Loop()
    await lost.run(here.ops.reading.enter())
    lost.close()
    async with here.ops, there.ops:
        await here.read()
        await here.ops.caught_up(await there.sell("cup", 5))
        assert await here.read() == [5, 20, 25]


async def test_after_a_loop_was_closed_without_leaving_nobody_reads(here: Shop) -> None:
    """What is committed meanwhile is told to nobody, and that is no error."""
    lost = Loop()
    await lost.run(here.ops.reading.enter())
    lost.close()
    assert here.ops.log_status() == LogStatus()
    with pytest.raises(InvalidOperation, match="open the application first"):
        await here.ops.caught_up(1)
    assert await here.sell("cup", 5)
    await here.ops.client.close()


async def test_after_the_last_has_left_nobody_reads(here: Shop, there: Shop) -> None:
    """A host in the same loop, for example, may have stayed longer."""
    async with here.ops, here.ops:
        await here.read()
    assert here.ops.log_status() == LogStatus()
    async with here.ops:
        await here.ops.caught_up(1)


async def test_a_value_of_a_loop_that_never_opened_the_application_follows_too(here: Shop, there: Shop, elsewhere: Loop) -> None:
    async with here.ops, there.ops:
        await elsewhere.run(here.read())
        await here.ops.caught_up(await there.sell("cup", 5))
        assert await elsewhere.run(here.read()) == [5, 20, 25]

"""Values as objects, and the sequence of values of one call."""

import asyncio
import gc
from collections import Counter

import pytest

from opwright import Changes, Opwright, changes
from opwright.clock import TurnedClock


class Source:
    """A computed function over something that can be set."""

    def __init__(self, ops: Opwright) -> None:
        self.value = 0
        self.runs = Counter[str]()
        self.read = ops.computed(self._read)

    async def _read(self) -> int:
        self.runs["read"] += 1
        if self.value < 0:
            raise ValueError("negative")
        return self.value

    def set(self, value: int) -> None:
        self.value = value
        self.read.invalidate()


@pytest.fixture
def source(ops: Opwright) -> Source:
    return Source(ops)


async def test_a_value_tells_whether_it_holds(source: Source) -> None:
    """It keeps its value when it no longer does; a new one is another object."""
    old = await source.read.computed()
    assert (old.value, old.is_consistent) == (0, True)
    waiting = asyncio.create_task(old.when_invalidated())
    await asyncio.sleep(0)
    assert not waiting.done()
    source.set(1)
    await waiting
    await old.when_invalidated()
    assert (old.value, old.is_consistent) == (0, False)
    assert (await source.read.computed()).value == 1


async def test_a_value_can_be_invalidated_itself(source: Source) -> None:
    """An old one does nothing to the one that came after."""
    old = await source.read.computed()
    old.invalidate()
    new = await source.read.computed()
    old.invalidate()
    assert new.is_consistent


async def test_who_stops_waiting_leaves_the_others_waiting(source: Source) -> None:
    value = await source.read.computed()
    first, second = asyncio.create_task(value.when_invalidated()), asyncio.create_task(value.when_invalidated())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert value._node.watchers is not None
    assert len(value._node.watchers) == 1
    source.set(1)
    await second


async def test_changes_begin_with_the_value_and_follow_each_invalidation(source: Source) -> None:
    seen = []
    async for value in changes(source.read):
        seen.append(value)
        if value == 3:
            break
        asyncio.get_running_loop().call_soon(source.set, value + 1)
    assert seen == [0, 1, 2, 3]


async def test_who_is_slow_gets_the_latest(source: Source) -> None:
    """What lay in between is not computed at all."""
    following = changes(source.read)
    assert await anext(following) == 0
    for value in range(1, 10):
        source.set(value)
    assert await anext(following) == 9
    assert source.runs["read"] == 2


async def test_nothing_follows_without_an_invalidation(source: Source) -> None:
    following = changes(source.read)
    await anext(following)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await anext(following)
    source.set(1)
    assert await anext(following) == 1  # the one that was left in between lost nothing


async def test_changes_raise_what_the_body_raises(source: Source, clock: TurnedClock) -> None:
    """And may be iterated again, which waits until the error is no longer kept."""
    following = changes(source.read)
    source.value = -1
    with pytest.raises(ValueError, match="negative"):
        await anext(following)
    again = asyncio.ensure_future(anext(following))
    await asyncio.sleep(0)
    assert not again.done()
    source.value = 5
    clock.turn(1)
    assert await source.read() == 5
    assert await again == 5


async def test_changes_are_followed_by_arguments(ops: Opwright) -> None:
    table = {"a": 1, "b": 2}

    @ops.computed
    async def total(name: str, *, times: int = 1) -> int:
        return times * table[name]

    following: Changes[..., int] = changes(total, "a", times=3)
    assert await anext(following) == 3
    table["a"] = 5
    total.invalidate("a", times=3)
    assert await anext(following) == 15


async def test_leaving_changes_leaves_nothing(source: Source, ops: Opwright) -> None:
    """Without closing anything, and without the collector."""
    cache = ops._computed.here()
    gc.disable()
    try:
        async for _ in changes(source.read):
            break
        cache.recent.clear()
        assert not cache.nodes
    finally:
        gc.enable()


async def test_a_consumer_holds_what_it_follows(ops: Opwright) -> None:
    """However many others come: or else nothing would tell it."""
    crowded = Opwright("sqlite:///never.db", max_entries=1)

    @crowded.computed
    async def leaf() -> int:
        return 1

    @crowded.computed
    async def top() -> int:
        return await leaf()

    @crowded.computed
    async def other(number: int) -> int:
        return number

    following = changes(top)
    await anext(following)
    for number in range(5):
        await other(number)
    after = asyncio.ensure_future(anext(following))
    await asyncio.sleep(0)
    leaf.invalidate()
    assert await after == 1

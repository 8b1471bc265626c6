"""What is kept, for how long, and what is let go: by number, by time, after an error, and in memory."""

import asyncio
import gc
import sys
import tracemalloc
import weakref
from collections import Counter

import pytest

from opwright import Opwright
from opwright.clock import TurnedClock
from opwright.computed.cache import Cache
from opwright.computed.node import Node


def cache_of(ops: Opwright) -> Cache:
    return ops._computed.here()


@pytest.fixture
def runs() -> Counter[object]:
    """How often each body ran."""
    return Counter()


# ----------------------------------------------------------------------------------------------------- number


async def test_what_was_used_least_recently_is_forgotten_first(clock: TurnedClock, runs: Counter[object]) -> None:
    """One limit for all functions of an application."""
    ops = Opwright("sqlite:///never.db", clock=clock, max_entries=3)

    @ops.computed
    async def one(name: str) -> None:
        runs[name] += 1

    @ops.computed
    async def other(name: str) -> None:
        runs[name] += 1

    for name in ("a", "b"):
        await one(name)
    await other("c")
    await one("a")  # used again
    await other("d")
    assert runs == {"a": 1, "b": 1, "c": 1, "d": 1}
    await one("a")
    await other("c")
    assert runs["a"] == runs["c"] == 1
    await one("b")
    assert runs["b"] == 2


async def test_values_with_a_time_of_their_own_are_forgotten_in_the_same_order(clock: TurnedClock, runs: Counter[object]) -> None:
    ops = Opwright("sqlite:///never.db", clock=clock, max_entries=2)

    @ops.computed(auto_invalidate=10)
    async def one(name: str) -> None:
        runs[name] += 1

    for name in ("a", "b", "a", "c", "a"):
        await one(name)
    assert runs == {"a": 1, "b": 1, "c": 1}


async def test_a_forgotten_value_that_others_were_made_from_is_still_there(clock: TurnedClock, runs: Counter[object]) -> None:
    """Its users hold it: it is found by a call, and invalidating it reaches them."""
    ops = Opwright("sqlite:///never.db", clock=clock, max_entries=1)

    @ops.computed
    async def leaf() -> int:
        runs["leaf"] += 1
        return runs["leaf"]

    @ops.computed
    async def top() -> int:
        return await leaf()

    value = await top.computed()
    assert len(cache_of(ops).recent) == 1
    assert await leaf() == 1
    assert runs["leaf"] == 1
    assert [node.key[0] for node in cache_of(ops).recent] == [leaf._memo]  # being used, it is kept again
    leaf.invalidate()
    assert not value.is_consistent
    assert await top() == 2


async def test_who_holds_a_value_keeps_it_in_the_cache(clock: TurnedClock, runs: Counter[object]) -> None:
    ops = Opwright("sqlite:///never.db", clock=clock, max_entries=1)

    @ops.computed
    async def one(number: int) -> int:
        runs[number] += 1
        return number

    held = await one.computed(1)
    await one(2)
    await one(1)
    assert runs[1] == 1
    one.invalidate(1)
    assert not held.is_consistent


# ------------------------------------------------------------------------------------------------------- time


async def test_a_value_is_kept_for_its_time_after_its_last_use(clock: TurnedClock, runs: Counter[object]) -> None:
    """However many others come, and each use prolongs it; then it goes."""
    ops = Opwright("sqlite:///never.db", clock=clock, max_entries=1)

    @ops.computed(min_keep=10)
    async def kept() -> None:
        runs["kept"] += 1

    @ops.computed
    async def crowd(number: int) -> None: ...

    await kept()
    for _ in range(3):
        clock.turn(8)
        await crowd(1)
        await crowd(2)
        cache_of(ops).deadlines.expire()
        await kept()
    assert runs["kept"] == 1
    await crowd(1)
    clock.turn(11)
    cache_of(ops).deadlines.expire()
    await kept()
    assert runs["kept"] == 2


async def test_keeping_a_value_does_not_keep_it_valid(ops: Opwright, runs: Counter[object]) -> None:
    @ops.computed(min_keep=10)
    async def kept() -> None:
        runs["kept"] += 1

    await kept()
    kept.invalidate()
    assert not cache_of(ops).held
    await kept()
    assert runs["kept"] == 2


async def test_a_value_invalidates_itself_after_its_time(ops: Opwright, clock: TurnedClock) -> None:
    """With all that was made from it. Uses do not prolong it, and a call just after it is due never gets the old one."""
    counts = Counter[str]()

    @ops.computed(auto_invalidate=10)
    async def weather() -> int:
        counts["runs"] += 1
        return counts["runs"]

    @ops.computed
    async def forecast() -> int:
        return await weather()

    value = await forecast.computed()
    clock.turn(9.9)
    assert await weather() == 1
    clock.turn(0.1)
    assert await weather() == 2  # without any timer
    assert not value.is_consistent

    value = await forecast.computed()
    clock.turn(10)
    cache_of(ops).deadlines.expire()  # what the timer does
    assert not value.is_consistent


async def test_the_timer_invalidates_what_nobody_asks_for() -> None:
    """On the clock of the machine."""
    ops = Opwright("sqlite:///never.db")

    @ops.computed(auto_invalidate=0.01)
    async def weather() -> int:
        return 1

    value = await weather.computed()
    await value.when_invalidated()
    assert not value.is_consistent


async def test_there_is_one_timer_for_all_deadlines(ops: Opwright) -> None:
    """The one of the earliest; none is left when there are none."""
    loop = asyncio.get_running_loop()
    called: list[float] = []
    real = loop.call_later

    def call_later(delay: float, *rest: object, **more: object) -> asyncio.TimerHandle:
        called.append(delay)
        return real(delay, *rest, **more)  # type: ignore[arg-type]

    loop.call_later = call_later  # type: ignore[method-assign]

    @ops.computed(auto_invalidate=50)
    async def soon(number: int) -> int:
        return number

    @ops.computed(auto_invalidate=100)
    async def late(number: int) -> int:
        return number

    for number in range(100):
        await soon(number)
        await late(number)
    assert called == [50]


async def test_deadlines_of_forgotten_values_do_not_pile_up(clock: TurnedClock) -> None:
    ops = Opwright("sqlite:///never.db", clock=clock, max_entries=10)

    @ops.computed(auto_invalidate=3600)
    async def one(number: int) -> int:
        return number

    for number in range(2000):
        await one(number)
    assert len(cache_of(ops).deadlines) <= 64


# ----------------------------------------------------------------------------------------------------- errors


async def test_an_error_is_kept_briefly_and_then_computed_again(ops: Opwright, clock: TurnedClock, runs: Counter[object]) -> None:
    """A second by default: a service that is down is not asked by every caller. What depends on it follows."""

    @ops.computed
    async def rate() -> int:
        runs["rate"] += 1
        if runs["rate"] == 1:
            raise ConnectionError("away")
        return 2

    @ops.computed
    async def price() -> int:
        runs["price"] += 1
        return 3 * await rate()

    for _ in range(3):
        with pytest.raises(ConnectionError, match="away"):
            await price()
    assert runs == {"rate": 1, "price": 1}
    clock.turn(1)
    assert await price() == 6
    assert runs == {"rate": 2, "price": 2}


async def test_what_did_with_an_error_is_invalidated_with_it(ops: Opwright, clock: TurnedClock) -> None:
    """A body that caught it and returned a value depends on it nevertheless."""
    errors = [ConnectionError("away")]

    @ops.computed
    async def rate() -> int:
        if errors:
            raise errors.pop()
        return 2

    @ops.computed
    async def price() -> int:
        try:
            return 3 * await rate()
        except ConnectionError:
            return 0

    value = await price.computed()
    clock.turn(1)
    cache_of(ops).deadlines.expire()
    assert (value.value, value.is_consistent) == (0, False)
    assert await price() == 6


async def test_an_error_that_is_not_to_be_kept_is_not(ops: Opwright, runs: Counter[object]) -> None:
    """Those who waited for it get it all the same."""

    @ops.computed(keep_errors=0)
    async def fails() -> None:
        runs["fails"] += 1
        raise ValueError("no")

    ends = await asyncio.gather(fails(), fails(), return_exceptions=True)
    assert [type(end) for end in ends] == [ValueError, ValueError]
    assert runs["fails"] == 1
    with pytest.raises(ValueError, match="no"):
        await fails()
    assert runs["fails"] == 2


async def test_an_error_can_be_invalidated_like_a_value(ops: Opwright, runs: Counter[object]) -> None:
    @ops.computed
    async def fails() -> None:
        runs["fails"] += 1
        raise ValueError("no")

    for times in (1, 2):
        value = await fails.computed()
        with pytest.raises(ValueError, match="no"):
            _ = value.value
        assert runs["fails"] == times
        fails.invalidate()


async def test_an_error_raised_many_times_does_not_grow(ops: Opwright) -> None:
    """Its traceback is that of the body and of whoever got it last."""

    @ops.computed
    async def fails() -> None:
        raise ValueError("no")

    lengths = set()
    for _ in range(5):
        with pytest.raises(ValueError, match="no") as caught:
            await fails()
        lengths.add(len(list(caught.traceback)))
        assert caught.traceback[-1].name == "fails"
    assert len(lengths) == 1


# ----------------------------------------------------------------------------------------------------- memory


def living_nodes() -> int:
    gc.collect()
    return sum(type(one) is Node for one in gc.get_objects())  # an isinstance would wake lazy objects of others


async def test_many_keys_leave_no_more_than_the_limit(clock: TurnedClock) -> None:
    """Nor does a value that all of them used grow with those that are gone."""
    ops = Opwright("sqlite:///never.db", clock=clock, max_entries=100)
    before = living_nodes()

    @ops.computed
    async def rate() -> int:
        return 2

    @ops.computed
    async def price(number: int) -> int:
        return number * await rate()

    async def ask(first: int) -> int:
        for number in range(first, first + 1500):
            await price(number)
        gc.collect()
        ours = tracemalloc.Filter(inclusive=True, filename_pattern="*/opwright/computed/*")  # not what other threads allocate
        return sum(one.size for one in tracemalloc.take_snapshot().filter_traces([ours]).statistics("filename"))

    tracemalloc.start()
    try:
        once, twice = await ask(0), await ask(1500)
    finally:
        tracemalloc.stop()
    assert twice - once < 20_000
    assert living_nodes() - before <= 102
    cache = cache_of(ops)
    assert len(cache.nodes) <= 102
    dependants = cache.nodes[(rate._memo, ())].dependants
    assert dependants is not None
    assert len(dependants.refs) <= 300
    assert not cache.running


async def test_values_recomputed_for_ever_leave_nothing_at_what_they_used(ops: Opwright) -> None:
    """Also while somebody holds the old ones."""

    @ops.computed
    async def rate() -> int:
        return 2

    @ops.computed
    async def price() -> int:
        return await rate()

    old = []
    for _ in range(500):
        old.append(await price.computed())
        price.invalidate()
    dependants = cache_of(ops).nodes[(rate._memo, ())].dependants
    assert dependants is not None
    assert len(dependants.refs) <= 16


async def test_an_ended_computation_is_freed_without_the_collector(ops: Opwright) -> None:
    """No cycle holds what a value was made with."""

    class Big:
        pass

    @ops.computed
    async def make() -> Big:
        return Big()

    gc.collect()
    gc.disable()
    try:
        pointer = weakref.ref(await make())
        assert pointer() is not None
        make.invalidate()
        await asyncio.sleep(0)
        assert pointer() is None
    finally:
        gc.enable()


async def test_a_cached_method_does_not_keep_its_instance(ops: Opwright) -> None:
    class Shop:
        @ops.computed
        async def price(self) -> int:
            return 1

    shop = Shop()
    await shop.price()
    pointer = weakref.ref(shop)
    del shop
    assert pointer() is None


async def test_an_instance_that_cannot_be_pointed_to_weakly_is_held_as_long_as_its_values(ops: Opwright) -> None:
    class Shop:
        __slots__ = ()

        @ops.computed
        async def price(self) -> int:
            return 1

    shop = Shop()
    gc.collect()
    least = sys.getrefcount(shop)
    await shop.price()
    assert sys.getrefcount(shop) > least
    shop.price.invalidate()
    gc.collect()
    assert sys.getrefcount(shop) == least


async def test_another_instance_at_the_same_address_is_another(ops: Opwright) -> None:
    """Addresses are used again as soon as an instance is gone."""

    class Shop:
        def __init__(self, rate: int) -> None:
            self.rate = rate

        @ops.computed
        async def price(self) -> int:
            return self.rate

    for rate in range(200):
        assert await Shop(rate).price() == rate


async def test_a_long_chain_is_let_go(ops: Opwright) -> None:
    """Each holds the next, and freeing the first does not overflow the stack."""

    @ops.computed
    async def link(number: int) -> int:
        return 0 if number == 0 else await link(number - 1)

    for number in range(0, 20_001, 500):
        await link(number)
    cache = cache_of(ops)
    cache.recent.clear()
    gc.collect()
    assert not cache.nodes

"""What is one call, when its body runs, and what invalidating it does to others."""

import asyncio
from collections import Counter
from dataclasses import dataclass

import pytest

from opwright import ComputedCycle, ConfigurationError, Opwright, changes, isolated
from opwright.clock import TurnedClock


@pytest.fixture
def runs() -> Counter[object]:
    """How often each body ran."""
    return Counter()


# ------------------------------------------------------------------------------------------------------- keys


async def test_a_body_runs_once_for_equal_arguments(ops: Opwright, runs: Counter[object]) -> None:
    """A hit; and other arguments are another call."""

    @ops.computed
    async def double(number: int) -> int:
        runs[number] += 1
        return 2 * number

    assert [await double(1), await double(1), await double(2)] == [2, 2, 4]
    assert runs == {1: 1, 2: 1}


async def test_however_a_call_is_spelt_it_is_one_call(ops: Opwright, runs: Counter[object]) -> None:
    @ops.computed()
    async def join(first: str, second: str = "b", *, third: str = "c") -> str:
        runs["join"] += 1
        return first + second + third

    @ops.computed
    async def plain(first: str, second: str = "b") -> str:
        runs["plain"] += 1
        return first + second

    assert {await join("a"), await join("a", "b"), await join(second="b", first="a"), await join("a", third="c")} == {"abc"}
    assert {await plain("a"), await plain("a", "b"), await plain("a", second="b"), await plain(second="b", first="a")} == {"ab"}
    assert runs == {"join": 1, "plain": 1}

    @ops.computed
    async def named(self: str, function: str) -> str:
        return self + function

    assert await named(self="a", function="b") == await anext(changes(named, self="a", function="b")) == "ab"
    join.invalidate("a", third="c", second="b")
    await join("a")
    assert runs["join"] == 2


async def test_loose_arguments_are_part_of_the_call(ops: Opwright, runs: Counter[object]) -> None:
    """``*args`` and ``**kwargs``, the latter in any order."""

    @ops.computed
    async def show(*args: int, **options: int) -> str:
        runs["show"] += 1
        return f"{args}{sorted(options.items())}"

    assert await show(1, 2, a=3, b=4) == await show(1, 2, b=4, a=3) == "(1, 2)[('a', 3), ('b', 4)]"
    assert await show(1, a=2) != await show(1, 2)
    assert runs["show"] == 3


async def test_what_cannot_be_a_key_is_refused_by_name(ops: Opwright) -> None:
    @ops.computed
    async def total(customer: int, rows: list[int]) -> int:
        return sum(rows)

    refused = r"total\(\): the argument rows .*must be hashable"
    for _ in range(2):  # before and after there is a cache
        with pytest.raises(TypeError, match=refused):
            await total(1, [2, 3])
        with pytest.raises(TypeError, match=refused):
            await total.computed(1, [2, 3])
        with pytest.raises(TypeError, match=refused):
            total.invalidate(1, rows=[2])
        assert await total(1, (2, 3)) == 5  # type: ignore[arg-type]


async def test_arguments_that_do_not_fit_are_refused_as_those_of_any_function(ops: Opwright) -> None:
    @ops.computed
    async def double(number: int, times: int = 2) -> int:
        return times * number

    for refused in (double, double.computed):
        with pytest.raises(TypeError, match=r"double\(\).*'number'"):
            await refused()  # type: ignore[call-arg]
        with pytest.raises(TypeError, match=r"double\(\).*'amount'"):
            await refused(1, amount=2)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match=r"double\(\).*too many"):
            await refused(1, 2, 3)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match=r"double\(\).*multiple values"):
            await refused(1, number=2)  # type: ignore[misc]


def test_what_is_not_async_cannot_be_computed(ops: Opwright) -> None:
    def plain() -> int:
        return 1

    with pytest.raises(ConfigurationError, match=r"plain.* is not an async function"):
        ops.computed(plain)  # type: ignore[arg-type]


@pytest.mark.parametrize("option", ["min_keep", "auto_invalidate", "keep_errors"])
@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_a_time_that_makes_no_sense_is_refused(ops: Opwright, option: str, seconds: float) -> None:
    async def one() -> int:
        return 1

    with pytest.raises(ConfigurationError, match=option):
        ops.computed(**{option: seconds})(one)


def test_a_cache_for_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="max_entries"):
        Opwright("sqlite:///never.db", max_entries=0)


# ---------------------------------------------------------------------------------------------------- cascade


async def test_invalidating_a_value_invalidates_all_that_was_made_from_it(ops: Opwright, runs: Counter[object]) -> None:
    """A diamond over two leaves: exactly those concerned run again, each once."""

    @ops.computed
    async def leaf(name: str) -> int:
        runs[name] += 1
        return runs[name]

    @ops.computed
    async def side(name: str, *leaves: str) -> int:
        runs[name] += 1
        return sum([await leaf(one) for one in leaves])

    @ops.computed
    async def top() -> int:
        runs["top"] += 1
        return await side("left", "a") + await side("right", "a", "b") + await side("far", "b")

    assert await top() == 4
    leaf.invalidate("a")
    assert await top() == 6
    assert runs == {"a": 2, "b": 1, "left": 2, "right": 2, "far": 1, "top": 2}


async def test_invalidating_twice_or_nothing_is_harmless(ops: Opwright, runs: Counter[object]) -> None:
    @ops.computed
    async def one() -> int:
        runs["one"] += 1
        return 1

    one.invalidate()
    await one()
    one.invalidate()
    one.invalidate()
    await one()
    assert runs["one"] == 2


async def test_everything_is_invalidated_of_a_function_or_of_the_application(ops: Opwright, runs: Counter[object]) -> None:
    @ops.computed
    async def one(number: int) -> None:
        runs["one"] += 1

    @ops.computed
    async def other(number: int) -> None:
        runs["other"] += 1

    async def ask() -> None:
        for number in range(3):
            await one(number)
            await other(number)

    await ask()
    one.invalidate_all()
    await ask()
    assert runs == {"one": 6, "other": 3}
    ops.invalidate_all()
    await ask()
    assert runs == {"one": 9, "other": 6}


async def test_a_chain_of_any_length_is_invalidated(ops: Opwright) -> None:
    """And computed, and let go: none of it recurses."""

    @ops.computed
    async def link(number: int) -> int:
        return number if number == 0 else 1 + await link(number - 1)

    last = await link.computed(10_000)
    assert last.value == 10_000
    link.invalidate(0)
    assert not last.is_consistent
    assert await link(10_000) == 10_000


async def test_one_value_with_ten_thousand_users_invalidates_them_all(ops: Opwright, runs: Counter[object]) -> None:
    @ops.computed
    async def rate() -> int:
        return 2

    @ops.computed
    async def price(number: int) -> int:
        runs["price"] += 1
        return number * await rate()

    for _ in range(2):
        assert [await price(number) for number in range(10_000)] == list(range(0, 20_000, 2))
        rate.invalidate()
    assert runs["price"] == 20_000


async def test_what_is_called_in_isolation_is_no_dependency(ops: Opwright, runs: Counter[object]) -> None:
    """Neither when it runs its body nor when it is a hit."""

    @ops.computed
    async def leaf() -> int:
        return 1

    @ops.computed
    async def top() -> int:
        runs["top"] += 1
        with isolated():
            return await leaf() + await leaf()

    await top()
    leaf.invalidate()
    await top()
    assert runs["top"] == 1


async def test_children_of_a_body_note_what_they_use(ops: Opwright) -> None:
    """A body may call others side by side, in tasks of its own."""

    @ops.computed
    async def leaf(number: int) -> int:
        return number

    @ops.computed
    async def top() -> int:
        return sum(await asyncio.gather(leaf(1), leaf(2)))

    for number in (1, 2):
        value = await top.computed()
        leaf.invalidate(number)
        assert not value.is_consistent


async def test_a_task_that_outlives_its_body_adds_nothing(ops: Opwright) -> None:
    """What was settled stays as it is."""
    tasks = []
    late = asyncio.Event()

    @ops.computed
    async def leaf() -> int:
        return 1

    async def linger() -> None:
        await late.wait()
        await leaf()

    @ops.computed
    async def top() -> None:
        tasks.append(asyncio.create_task(linger()))

    value = await top.computed()
    late.set()
    await tasks[0]
    leaf.invalidate()
    assert value.is_consistent


# ----------------------------------------------------------------------------------------------------- cycles


async def test_a_value_that_needs_itself_is_refused(ops: Opwright) -> None:
    """Directly, or by way of others, instead of waiting for ever."""

    @ops.computed(keep_errors=0)
    async def tail(number: int) -> int:
        return await tail((number + 1) % 3)

    @ops.computed(keep_errors=0)
    async def same() -> int:
        return await same()

    with pytest.raises(ComputedCycle, match=r"tail\(0\)"):
        await tail(0)
    with pytest.raises(ComputedCycle, match=r"same\(\)"):
        await same()


async def test_two_that_need_each_other_are_refused_when_they_meet(ops: Opwright) -> None:
    """Called by two callers at once, neither body is below the other at first."""
    both = asyncio.Barrier(2)

    @ops.computed(keep_errors=0)
    async def one() -> int:
        await both.wait()
        return await other()

    @ops.computed(keep_errors=0)
    async def other() -> int:
        await both.wait()
        return await one()

    ends = await asyncio.gather(one(), other(), return_exceptions=True)
    assert [type(end) for end in ends] == [ComputedCycle, ComputedCycle]


async def test_a_body_that_invalidates_itself_and_asks_again_is_refused(ops: Opwright) -> None:
    """Its call would begin itself anew for ever."""

    @ops.computed(keep_errors=0)
    async def restless() -> int:
        restless.invalidate()
        return await restless()

    with pytest.raises(ComputedCycle):
        await restless()


# ---------------------------------------------------------------------------------------------------- methods


@dataclass  # with equality, so not hashable
class Shop:
    rate: int


async def test_a_method_has_values_of_its_own_for_each_instance(ops: Opwright, runs: Counter[object]) -> None:
    """Instances are told apart by identity, not by equality."""

    class Priced(Shop):
        @ops.computed
        async def price(self, number: int) -> int:
            runs[id(self)] += 1
            return self.rate * number

    one, other = Priced(2), Priced(2)
    assert [await one.price(3), await one.price(number=3), await other.price(3)] == [6, 6, 6]
    assert runs == {id(one): 1, id(other): 1}

    one.price.invalidate(3)
    await one.price(3)
    await other.price(3)
    assert runs == {id(one): 2, id(other): 1}

    Priced.price.invalidate_all()
    await one.price(3)
    await other.price(3)
    assert runs == {id(one): 3, id(other): 2}


async def test_a_wrapped_function_keeps_its_name_and_words(ops: Opwright) -> None:
    @ops.computed
    async def total(customer: str) -> int:
        """Of all orders."""
        return 1

    assert (total.__name__, total.__doc__) == ("total", "Of all orders.")  # type: ignore[attr-defined]
    assert "total" in repr(total)
    value = await total.computed("Ada")
    assert repr(value).endswith("total('Ada') consistent>")


async def test_time_and_context_are_not_those_of_the_caller(ops: Opwright, clock: TurnedClock) -> None:
    """A value lives on the application's clock: nothing expires while that stands still."""

    @ops.computed(auto_invalidate=0.001)
    async def one() -> object:
        return object()

    first = await one()
    await asyncio.sleep(0)
    assert await one() is first
    clock.turn(1)
    assert await one() is not first

"""While a body runs: who shares it, who may cancel it, what it sees of its callers, and what an invalidation means to it."""

import asyncio
from collections import Counter
from contextvars import ContextVar

import pytest

from opwright import ComputedCycle, Opwright
from opwright.computed.cache import Cache
from tests.kit.waiting import eventually

session: ContextVar[str] = ContextVar("session", default="nobody's")


class Gate:
    """A body that says when it has begun and waits to be let through."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.open = asyncio.Event()
        self.runs = Counter[str]()

    async def pass_through(self) -> int:
        self.runs["begun"] += 1
        self.begun.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.runs["cancelled"] += 1
            raise
        return self.runs["begun"]


@pytest.fixture
def gate() -> Gate:
    return Gate()


def cache_of(ops: Opwright) -> Cache:
    return ops._computed.here()


async def test_callers_at_once_share_one_computation(ops: Opwright, gate: Gate) -> None:
    guarded = ops.computed(gate.pass_through)
    calls = [asyncio.create_task(guarded()) for _ in range(5)]
    await gate.begun.wait()
    calls += [asyncio.create_task(guarded()) for _ in range(5)]
    gate.open.set()
    assert await asyncio.gather(*calls) == [1] * 10
    assert gate.runs["begun"] == 1


async def test_a_cancelled_caller_leaves_the_others_what_they_wait_for(ops: Opwright, gate: Gate) -> None:
    """The first too, whose call began it."""
    guarded = ops.computed(gate.pass_through)
    first, second = asyncio.create_task(guarded()), asyncio.create_task(guarded())
    await gate.begun.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.open.set()
    assert await second == 1
    assert gate.runs == {"begun": 1}


async def test_when_nobody_waits_any_more_the_body_is_cancelled_and_nothing_is_kept(ops: Opwright, gate: Gate) -> None:
    guarded = ops.computed(gate.pass_through)
    calls = [asyncio.create_task(guarded()) for _ in range(2)]
    await gate.begun.wait()
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    gate.open.set()
    assert await guarded() == 2
    assert gate.runs == {"begun": 2, "cancelled": 1}
    assert not cache_of(ops).running
    assert not cache_of(ops).superseded


async def test_a_call_that_is_cancelled_at_once_leaves_nothing(ops: Opwright, gate: Gate) -> None:
    guarded = ops.computed(gate.pass_through)
    call = asyncio.create_task(guarded())
    await asyncio.sleep(0)  # the call has begun, its body has not
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert not cache_of(ops).nodes
    gate.open.set()
    assert await guarded() == gate.runs["begun"]
    assert not cache_of(ops).running
    assert not cache_of(ops).superseded


async def test_a_call_after_the_last_has_given_up_is_not_cancelled_with_it(ops: Opwright) -> None:
    """The body that nobody wants may take its time to leave; the new call has one of its own."""
    leaving, runs = asyncio.Event(), Counter[str]()

    @ops.computed
    async def slow() -> int:
        runs["slow"] += 1
        if runs["slow"] == 1:
            try:
                await asyncio.Event().wait()
            finally:
                await leaving.wait()
        return runs["slow"]

    first = asyncio.create_task(slow())
    await eventually(lambda: runs["slow"])
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    second = asyncio.create_task(slow())
    await asyncio.sleep(0)
    leaving.set()
    assert await second == 2


async def test_giving_up_goes_down_to_what_the_body_waits_for(ops: Opwright, gate: Gate) -> None:
    guarded = ops.computed(gate.pass_through)

    @ops.computed
    async def above() -> int:
        return await guarded()

    call = asyncio.create_task(above())
    await gate.begun.wait()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    gate.open.set()
    assert await above() == 2
    assert gate.runs["cancelled"] == 1


async def test_a_body_that_did_without_what_it_asked_for_is_not_kept(ops: Opwright, gate: Gate) -> None:
    """It gave up waiting, so its value is made from nothing that could be invalidated."""
    guarded = ops.computed(gate.pass_through)

    @ops.computed
    async def hasty() -> int:
        try:
            async with asyncio.timeout(0):
                return await guarded()
        except TimeoutError:
            return -1

    value = await hasty.computed()
    assert (value.value, value.is_consistent) == (-1, False)


async def test_a_body_that_is_cancelled_from_within_is_not_kept(ops: Opwright) -> None:
    """Its callers are told, the next call runs it again."""
    lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    lost.cancel()
    futures = [lost]

    @ops.computed
    async def one() -> int:
        return await futures[-1]

    with pytest.raises(asyncio.CancelledError):
        await one()
    futures.append(asyncio.get_running_loop().create_future())
    futures[-1].set_result(1)
    assert await one() == 1


async def test_a_body_sees_nothing_of_its_callers_context(ops: Opwright) -> None:
    """Or else everybody would be given what the first caller's session could see; and nothing comes back either."""

    @ops.computed
    async def whose() -> str:
        seen = session.get()
        session.set("the body's")
        return seen

    session.set("Ada's")
    assert await whose() == "nobody's"
    assert session.get() == "Ada's"


# ----------------------------------------------------------------------------- invalidated while it is computed


async def test_an_invalidation_during_computing_leaves_callers_their_value_and_keeps_it_for_nobody(
    ops: Opwright, gate: Gate
) -> None:
    guarded = ops.computed(gate.pass_through)
    call = asyncio.create_task(guarded.computed())
    await gate.begun.wait()
    guarded.invalidate()
    gate.open.set()
    value = await call
    assert (value.value, value.is_consistent) == (1, False)
    await value.when_invalidated()
    assert await guarded() == 2


async def test_a_call_after_an_invalidation_never_gets_what_was_begun_before_it(ops: Opwright, gate: Gate) -> None:
    """Who writes, invalidates and reads, reads what it wrote, also while an older body runs."""
    guarded = ops.computed(gate.pass_through)
    before = asyncio.create_task(guarded())
    await gate.begun.wait()
    gate.begun.clear()
    guarded.invalidate()
    after = asyncio.create_task(guarded())
    await gate.begun.wait()
    assert gate.runs["begun"] == 2
    gate.open.set()
    await asyncio.gather(before, after)
    assert await guarded() == await after
    assert gate.runs["begun"] == 2
    assert not cache_of(ops).superseded


async def test_nor_what_waits_for_something_that_was_begun_before_it(ops: Opwright, gate: Gate) -> None:
    guarded = ops.computed(gate.pass_through)
    runs = Counter[str]()

    @ops.computed
    async def above() -> int:
        runs["above"] += 1
        return await guarded()

    before = asyncio.create_task(above())
    await gate.begun.wait()
    guarded.invalidate()
    after = asyncio.create_task(above())
    await asyncio.sleep(0)
    gate.open.set()
    await asyncio.gather(before, after)
    assert (runs["above"], gate.runs["begun"]) == (2, 2)


async def test_a_body_may_invalidate_what_it_uses(ops: Opwright) -> None:
    """It gets the new value, ends, and is not kept."""
    counts = Counter[str]()

    @ops.computed
    async def count() -> int:
        counts["count"] += 1
        return counts["count"]

    @ops.computed
    async def twice() -> tuple[int, int]:
        first = await count()
        count.invalidate()
        return first, await count()

    value = await twice.computed()
    assert (value.value, value.is_consistent) == ((1, 2), False)
    assert await twice() == (2, 3)


async def test_a_body_that_invalidates_itself_ends(ops: Opwright) -> None:
    counts = Counter[str]()

    @ops.computed
    async def restless() -> int:
        counts["runs"] += 1
        restless.invalidate()
        return counts["runs"]

    assert [await restless(), await restless()] == [1, 2]


async def test_a_value_made_from_one_that_was_invalid_from_birth_is_too(ops: Opwright, gate: Gate) -> None:
    """The invalidation came before the user had asked: by the time it got the value nothing would tell it."""
    guarded = ops.computed(gate.pass_through)
    asking = asyncio.create_task(guarded.computed())
    await gate.begun.wait()

    @ops.computed
    async def above() -> int:
        shared = asyncio.create_task(guarded())
        await asyncio.sleep(0)
        guarded.invalidate()
        gate.open.set()
        return await shared

    value = await above.computed()
    assert not value.is_consistent
    await asking


async def test_a_loop_that_begins_tasks_at_once_computes_alike(ops: Opwright) -> None:
    """Bodies are begun by the loop all the same, so a chain is no recursion, and a cycle is seen."""
    loop = asyncio.get_running_loop()
    factory = getattr(asyncio, "eager_task_factory", None)  # from Python 3.12 on
    loop.set_task_factory(factory or loop.get_task_factory())

    @ops.computed
    async def link(number: int) -> int:
        return 0 if number == 0 else 1 + await link(number - 1)

    @ops.computed
    async def one() -> int:
        return await other()

    @ops.computed
    async def other() -> int:
        return await one()

    assert await link(3000) == 3000
    link.invalidate(0)
    assert await link(3000) == 3000
    with pytest.raises(ComputedCycle):
        await one()

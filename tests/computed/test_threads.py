"""Several event loops in several threads, and invalidations that cross them."""

import asyncio
import gc
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from opwright import Opwright, changes

T = TypeVar("T")


class Elsewhere:
    """An event loop that runs in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@contextmanager
def loop_elsewhere() -> Iterator[Elsewhere]:
    other = Elsewhere()
    other.thread.start()
    try:
        yield other
    finally:
        if not other.loop.is_closed():
            other.close()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    with loop_elsewhere() as other:
        yield other


class Counted:
    """A computed function that tells in which thread its body ran."""

    def __init__(self, ops: Opwright) -> None:
        self.runs = Counter[int]()
        self.read = ops.computed(self._read)

    async def _read(self, number: int) -> int:
        self.runs[threading.get_ident()] += 1
        return number


@pytest.fixture
def counted(ops: Opwright) -> Counted:
    return Counted(ops)


async def test_each_event_loop_has_values_of_its_own(counted: Counted, elsewhere: Elsewhere) -> None:
    for _ in range(2):
        await counted.read(1)
        await asyncio.to_thread(elsewhere.run, counted.read(1))
    assert counted.runs == {threading.get_ident(): 1, elsewhere.thread.ident: 1}


def test_an_invalidation_from_another_thread_is_done_in_the_owning_loop(counted: Counted, elsewhere: Elsewhere) -> None:
    """Once it was waited for, the next call there runs the body, and who follows is told."""
    following = changes(counted.read, 1)

    async def follow() -> int:
        return await anext(following)

    assert elsewhere.run(follow()) == 1
    counted.read.invalidate(1).wait(10)
    assert elsewhere.run(follow()) == 1
    assert counted.runs[elsewhere.thread.ident or 0] == 2


async def test_an_invalidation_in_a_loop_is_done_here_at_once_and_in_other_loops_when_awaited(
    counted: Counted, elsewhere: Elsewhere
) -> None:
    here = await counted.read.computed(1)
    there = await asyncio.to_thread(elsewhere.run, counted.read.computed(1))
    invalidation = counted.read.invalidate(1)
    assert not here.is_consistent
    await invalidation
    assert not there.is_consistent


async def test_all_is_invalidated_in_all_loops(ops: Opwright, counted: Counted, elsewhere: Elsewhere) -> None:
    for invalidate_all in (counted.read.invalidate_all, ops.invalidate_all):
        here = await counted.read.computed(1)
        there = await asyncio.to_thread(elsewhere.run, counted.read.computed(1))
        await invalidate_all()
        assert not here.is_consistent
        assert not there.is_consistent


def test_waiting_for_a_loop_that_does_not_come_round_ends(counted: Counted, elsewhere: Elsewhere) -> None:
    """And the invalidation is done all the same when it does."""
    value = elsewhere.run(counted.read.computed(1))
    release = threading.Event()
    elsewhere.loop.call_soon_threadsafe(release.wait, 10)
    invalidation = counted.read.invalidate(1)
    with pytest.raises(TimeoutError, match="within 0 s"):
        invalidation.wait(0)
    release.set()
    invalidation.wait(10)
    assert not value.is_consistent


async def test_who_stops_awaiting_an_invalidation_does_not_stop_it(counted: Counted, elsewhere: Elsewhere) -> None:
    value = await asyncio.to_thread(elsewhere.run, counted.read.computed(1))
    release = threading.Event()
    elsewhere.loop.call_soon_threadsafe(release.wait, 10)
    invalidation = counted.read.invalidate(1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await invalidation
    release.set()
    await invalidation
    assert not value.is_consistent


def test_a_loop_that_closes_keeps_nobody_waiting(counted: Counted) -> None:
    """Whether it had closed before, or closes with the invalidation in its queue."""
    with loop_elsewhere() as before, loop_elsewhere() as meanwhile:
        before.run(counted.read(1))
        meanwhile.run(counted.read(1))
        before.close()
        stopping, stopped = threading.Event(), threading.Event()

        def stop() -> None:
            stopping.set()
            stopped.wait(10)
            meanwhile.loop.stop()

        meanwhile.loop.call_soon_threadsafe(stop)
        assert stopping.wait(10)
        invalidation = counted.read.invalidate(1)
        stopped.set()
        meanwhile.close()
        invalidation.wait(10)


def test_an_invalidation_where_no_loop_runs_comes_before_whatever_runs_next(counted: Counted) -> None:
    with asyncio.Runner() as runner:
        value = runner.run(counted.read.computed(1))
        counted.read.invalidate(1).wait(10)
        runner.run(asyncio.sleep(0))
        assert not value.is_consistent


def test_the_values_of_closed_loops_are_let_go(ops: Opwright, counted: Counted) -> None:
    for number in range(5):
        asyncio.run(counted.read(number))
    gc.collect()
    assert len(ops._computed.by_loop) == 1


def test_a_body_in_one_loop_is_no_user_of_what_another_loop_computes(ops: Opwright) -> None:
    """A thread started by a body inherits its context, and may run a loop of its own."""

    @ops.computed
    async def leaf() -> int:
        return 1

    async def twice() -> int:
        both = await leaf() * await leaf()
        leaf.invalidate()
        return both

    @ops.computed
    async def top() -> int:
        return await asyncio.to_thread(asyncio.run, twice())

    async def main() -> None:
        value = await top.computed()
        assert (value.value, value.is_consistent) == (1, True)

    asyncio.run(main())


def test_many_threads_invalidate_at_once(ops: Opwright, elsewhere: Elsewhere) -> None:
    """Whoever has waited for its invalidation reads nothing older than what it wrote."""
    written = [0] * 4

    @ops.computed
    async def read(number: int) -> int:
        await asyncio.sleep(0)
        return written[number]

    @ops.computed
    async def total() -> int:
        return sum([await read(number) for number in range(len(written))])

    wrong = []

    def write(number: int) -> None:
        for value in range(1, 51):
            written[number] = value
            read.invalidate(number).wait(10)
            seen = elsewhere.run(read(number)), elsewhere.run(total())
            if seen[0] != value or seen[1] < value:
                wrong.append((number, value, seen))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(len(written))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []
    assert elsewhere.run(total()) == 200

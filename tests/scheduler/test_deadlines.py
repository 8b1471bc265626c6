"""Deadlines: one timer for what runs, none for what has ended."""

import pytest

from opwright.clock import TurnedClock
from opwright.model.claim import Claim
from opwright.model.options import Options
from opwright.model.worker import Outcome
from opwright.scheduler.deadlines import Deadlines, Watched
from opwright.store.store import Store
from tests.contract.kit import TRIGGER, operation
from tests.scheduler.kit import bench, eventually

TINY = 0.005


class Bench:
    """Deadlines of operations that begin when the test says so."""

    def __init__(self, clock: TurnedClock) -> None:
        self.clock = clock
        self.begun: dict[int, int] = {}
        self.looks = 0
        self.expired: list[int] = []
        self.deadlines = Deadlines(self._begun_at, clock, lambda claim: self.expired.append(claim.operation))

    def _begun_at(self, operation: int) -> int | None:
        self.looks += 1
        return self.begun.get(operation)

    async def looked(self, times: int = 2) -> None:
        """So many looks from now on."""
        wanted = self.looks + times
        await eventually(lambda: self.looks >= wanted or bool(self.expired), "looks at the begin")


def claim(operation: int) -> Claim:
    return Claim(operation, 1, TRIGGER, "{}", "default", 0, 0, 0, Options())


async def test_what_ends_takes_its_timer_with_it(store: Store, clock: TurnedClock) -> None:
    """After many operations with a long timeout nothing of them is left in the loop, however they ended."""
    host = await bench(store, clock, slots=40)
    await store.operations.submit([operation(options=Options(timeout=3600.0, retries=1)) for _ in range(40)])
    await host.look()
    deadlines = host.scheduler._deadlines
    timers = list(deadlines._timers.values())
    assert len(deadlines) == len(timers) == 40
    for number, task in enumerate(tuple(host.pool.placed)):
        outcome = (Outcome.DONE, Outcome.FAILED, Outcome.DIED, Outcome.UNKNOWN)[number % 4]
        await host.end(task, outcome, error="it broke")
    assert len(deadlines) == 0
    assert all(timer.cancelled() for timer in timers)


async def test_a_host_that_was_taken_over_has_no_deadlines(store: Store, clock: TurnedClock) -> None:
    """It forgets them with its claims."""
    host = await bench(store, clock, slots=3)
    await store.operations.submit([operation(options=Options(timeout=3600.0)) for _ in range(3)])
    await host.look()
    timers = list(host.scheduler._deadlines._timers.values())
    host.scheduler.forget()
    assert len(timers) == 3
    assert len(host.scheduler._deadlines) == 0
    assert all(timer.cancelled() for timer in timers)


async def test_the_time_counts_from_the_begin(clock: TurnedClock) -> None:
    """What waits in its worker never expires; once it has begun it has its whole timeout, and expires once."""
    host = Bench(clock)
    host.deadlines.watch(claim(7), TINY)
    clock.turn(3600)
    await host.looked()
    host.begun[7] = clock.now()
    await host.looked()
    assert host.expired == []
    assert len(host.deadlines) == 1
    clock.turn(2 * TINY)
    await eventually(lambda: bool(host.expired), "its deadline")
    assert host.expired == [7]
    assert len(host.deadlines) == 0


async def test_a_later_begin_gives_a_later_deadline(clock: TurnedClock) -> None:
    """The next look is what is left of the timeout away."""
    host = Bench(clock)
    host.deadlines.watch(claim(7), 100.0)
    first = host.deadlines._timers[7].when()
    clock.turn(100)
    host.begun[7] = clock.now() - 40_000_000
    host.deadlines._look(Watched(claim(7), 100.0))
    assert 59 < host.deadlines._timers[7].when() - first + 100 < 70
    host.deadlines.clear()


@pytest.mark.fault("F43")
async def test_a_clock_that_was_set_back_gives_one_more_timeout_and_no_third(clock: TurnedClock) -> None:
    """By an hour or a century: what was seen to run for its whole timeout has run for that long."""
    host = Bench(clock)
    host.begun[7] = clock.now()
    host.deadlines.watch(claim(7), TINY)
    clock.turn(-3600)
    await host.looked()
    assert host.expired == []
    clock.turn(TINY)
    await eventually(lambda: host.expired == [7], "its deadline")


async def test_given_again_it_is_watched_once(clock: TurnedClock) -> None:
    """An operation that came back unbegun and went to another worker has one timer, the new one."""
    host = Bench(clock)
    host.deadlines.watch(claim(7), 3600.0)
    old = host.deadlines._timers[7]
    host.deadlines.watch(claim(7), 3600.0)
    assert old.cancelled()
    assert len(host.deadlines) == 1
    host.deadlines.forget(7)
    host.deadlines.forget(7)
    assert len(host.deadlines) == 0


async def test_cleared_deadlines_never_come(clock: TurnedClock) -> None:
    """Those of a host that was taken over: also what was due at once."""
    host = Bench(clock)
    for number in range(1, 6):
        host.begun[number] = clock.now() - 10**9
        host.deadlines.watch(claim(number), 0.0)
    host.deadlines.clear()
    assert len(host.deadlines) == 0
    other = Bench(clock)
    other.begun[9] = clock.now() - 10**9
    other.deadlines.watch(claim(9), TINY)
    await eventually(lambda: other.expired == [9], "a deadline set later")
    assert host.expired == []

"""Our promises about a database, as tests that an engine can be held to: ours on your server, or an engine of your own.

Subclass EngineContract in a test module and say where the database is. No other plug-in of pytest is needed.
"""

# ruff: noqa: S101 - these are tests, and pytest explains their asserts
from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from opwright.clock import MILLISECOND, SECOND, Clock, TurnedClock
from opwright.errors import ConfigurationError, KeyTaken
from opwright.model.claim import Claim, End, Verdict, after_death, after_error, hand_back
from opwright.model.host import Registration
from opwright.model.ids import new_id
from opwright.model.operation import NewOperation, OnConflict
from opwright.model.options import Backoff, Options
from opwright.model.status import OutcomeCode, Status
from opwright.store import submits
from opwright.store.engine import Engine, Plan
from opwright.store.store import Store, engine_for
from opwright.testing.drain import here
from opwright.version import VERSION

TRIGGER, QUEUE = "contract", "contract"
LEASE = 12.0
DONE = End(OutcomeCode.SUCCEEDED, result='{"width":640,"name":"\u00e9"}')

MakeEngine = Callable[[Clock], Engine]


def new(**fields: Any) -> NewOperation:
    """A submit with the defaults of these tests."""
    values: dict[str, Any] = {"id": new_id(), "trigger": TRIGGER, "queue": QUEUE, "inputs": "{}", "priority": 0}
    return NewOperation(**values | fields)


@dataclass(frozen=True)
class Process:
    """One process with a host, as the database sees it."""

    store: Store
    registration: Registration

    @property
    def host(self) -> int:
        """The id of its host."""
        return self.registration.id

    async def submit(self, count: int = 1, **fields: Any) -> list[int]:
        """Submit so many; their ids."""
        operations = [new(**fields) for _ in range(count)]
        await self.store.operations.submit(operations)
        return [operation.id for operation in operations]

    async def claim(self, limit: int = 1000, *, triggers: Sequence[str] = (TRIGGER,), queue: str = QUEUE) -> list[Claim]:
        """Claim under a token of its own."""
        return await self.store.queue.claim(host=self.host, token=new_id(), queue=queue, triggers=list(triggers), limit=limit)

    async def settle(self, claim: Claim, verdict: Verdict = DONE) -> bool:
        """Write a verdict; whether it landed."""
        return await self.store.queue.settle(self.host, [(claim, verdict)]) == {claim.operation}

    async def status(self, operation: int) -> Status:
        """What people read."""
        return (await self.store.operations.get(operation)).status


@asynccontextmanager
async def process(engine: Engine) -> AsyncIterator[Process]:
    """A process that has opened the database, and registered a host."""
    store = Store(engine)
    await store.open()
    try:
        registration = await store.hosts.register(
            name="contract", pid=os.getpid(), version=VERSION, lease=LEASE, queues=None, triggers=[TRIGGER]
        )
        yield Process(store, registration)
    finally:
        await store.close()


def promise(story: Callable[[Any, Process, Process, TurnedClock], Awaitable[None]]) -> Callable[[Any, MakeEngine], None]:
    """A test of two processes on one database, with a clock that stands still; it brings its own event loop."""

    def test(self: Any, engine: MakeEngine) -> None:
        here(_told(self, engine))

    async def _told(self: Any, engine: MakeEngine) -> None:
        clock = TurnedClock()
        async with process(engine(clock)) as one, process(engine(clock)) as other:
            await story(self, one, other, clock)

    test.__name__, test.__qualname__, test.__doc__ = story.__name__, story.__qualname__, story.__doc__
    return test


class EngineContract:
    """The most important promises. A subclass gives the fixture ``url``, or for an engine of its own ``engine``."""

    @pytest.fixture
    def url(self) -> str:
        """The address of an empty database."""
        raise ConfigurationError(f"{type(self).__name__} needs a fixture `url`, with the address of an empty database")

    @pytest.fixture
    def engine(self, url: str) -> MakeEngine:
        """Makes one more engine on the same database, with the clock that it is given."""
        return lambda clock: engine_for(url, clock)

    @promise
    async def test_an_operation_is_claimed_once(self, one: Process, other: Process, clock: TurnedClock) -> None:
        """However many processes claim at the same time."""
        sent = await one.submit(600)
        shares = await asyncio.gather(*(process.claim(50) for process in (one, other) for _ in range(9)))
        assert sorted(claim.operation for share in shares for claim in share) == sorted(sent)

    @promise
    async def test_what_is_urgent_is_claimed_first(self, one: Process, other: Process, clock: TurnedClock) -> None:
        """The higher priority, then the older id; never more than asked for."""
        (late,) = await one.submit(priority=-5)
        old, young = await one.submit(2)
        (urgent,) = await one.submit(priority=5)
        assert [claim.operation for claim in await other.claim(3)] == [urgent, old, young]
        assert [claim.operation for claim in await other.claim(3)] == [late]

    @promise
    async def test_a_claim_keeps_to_its_queue_and_triggers(self, one: Process, other: Process, clock: TurnedClock) -> None:
        """Nobody is given what it cannot run, and what it cannot run holds up nothing."""
        await one.submit(priority=9, trigger="unknown")
        await one.submit(priority=9, queue="another")
        (own,) = await one.submit()
        assert [claim.operation for claim in await other.claim()] == [own]
        assert await other.claim(triggers=[]) == []

    @promise
    async def test_only_the_token_of_the_claim_ends_it(self, one: Process, other: Process, clock: TurnedClock) -> None:
        """Every write after a claim is fenced: a stale one changes nothing, and says so."""
        (operation,) = await one.submit()
        (claim,) = await one.claim()
        stale = msgspec.structs.replace(claim, token=new_id())
        for verdict in (DONE, hand_back(stale), after_error(_with_retries(stale), "late", 0.5)):
            assert not await other.settle(stale, verdict)
        assert await one.status(operation) is Status.PROCESSING
        assert await one.settle(claim)

    @promise
    async def test_an_end_is_final(self, one: Process, other: Process, clock: TurnedClock) -> None:
        """One outcome, with the result as it was sent; nothing changes it afterwards."""
        (operation,) = await one.submit()
        (claim,) = await one.claim()
        assert await one.settle(claim)
        assert not await one.settle(claim, End(OutcomeCode.FAILED, error="too late"))
        assert await other.store.operations.cancel(operation, "too late") == "nothing"
        ended = await other.store.operations.get(operation)
        assert (ended.status, ended.result, ended.error) == (Status.SUCCEEDED, DONE.result, None)

    @promise
    async def test_a_plan_is_all_or_nothing(self, one: Process, other: Process, clock: TurnedClock) -> None:
        """What fails halfway leaves nothing behind."""

        def half() -> Plan[None]:
            yield from submits.submit([new()])
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await one.store.engine.play(half())
        assert await other.store.operations.latest(10) == []

    @promise
    async def test_what_is_committed_is_seen_by_all_and_stays(self, one: Process, other: Process, clock: TurnedClock) -> None:
        """By another process at once, and after every connection was closed and opened again."""
        (operation,) = await one.submit(inputs='{"photo":"cat \u732b"}')
        assert (await other.store.operations.get(operation)).inputs == '{"photo":"cat \u732b"}'
        await other.store.close()
        await other.store.open()
        assert await other.status(operation) is Status.PENDING

    @promise
    async def test_a_key_has_one_holder(self, one: Process, other: Process, clock: TurnedClock) -> None:
        """Of submits that race, one wins and the others are told who; an end frees the key."""
        race = (process.store.operations.submit_keyed(new(key="k"), OnConflict.FAIL) for process in (one, other) * 10)
        answers = await asyncio.gather(*race, return_exceptions=True)
        (winner,) = [answer for answer in answers if isinstance(answer, int)]
        assert [answer.winner for answer in answers if isinstance(answer, KeyTaken)] == [winner] * 19
        (claim,) = await one.claim()
        await one.settle(claim)
        assert await other.store.operations.submit_keyed(new(key="k"), OnConflict.SKIP) != winner

    @promise
    async def test_a_delay_is_kept_by_the_clock(self, one: Process, other: Process, clock: TurnedClock) -> None:
        """Not a moment too early, and then at the next look."""
        (operation,) = await one.submit(wait=60 * SECOND)
        assert (await other.store.queue.peek()).due == clock.now() + 60 * SECOND
        clock.turn(60 - MILLISECOND / SECOND)
        await other.store.queue.promote()
        assert await other.claim() == []
        clock.turn(MILLISECOND / SECOND)
        await other.store.queue.promote()
        assert [claim.operation for claim in await other.claim()] == [operation]

    @promise
    async def test_a_retry_comes_back_with_what_it_has_spent(self, one: Process, other: Process, clock: TurnedClock) -> None:
        """Its attempt counts on, and the error is in its log."""
        options = Options(retries=1, backoff=Backoff(first=5, jitter=0))
        (operation,) = await one.submit(options=msgspec.json.encode(options).decode())
        (claim,) = await one.claim()
        assert await one.settle(claim, after_error(claim, "it broke", 0.5))
        assert await other.claim() == []
        clock.turn(5)
        await other.store.queue.promote()
        (again,) = await other.claim()
        assert (again.operation, again.attempt, again.errors, again.deaths) == (operation, 2, 1, 0)
        assert [note.text for note in await one.store.operations.notes(operation)] == ["it broke"]

    @promise
    async def test_a_hand_back_costs_nothing(self, one: Process, other: Process, clock: TurnedClock) -> None:
        """What had not begun is ready again at once, in its first attempt."""
        await one.submit()
        (claim,) = await one.claim()
        assert await one.settle(claim, hand_back(claim))
        (again,) = await other.claim()
        assert (again.operation, again.attempt) == (claim.operation, 1)
        assert again.token != claim.token

    @promise
    async def test_the_dead_are_taken_over_once(self, one: Process, other: Process, clock: TurnedClock) -> None:
        """A host whose lease has lapsed gets nothing more; its claims go to others, and its own late writes land nowhere."""
        (operation,) = await one.submit()
        (claim,) = await one.claim()
        clock.turn(LEASE + 1)
        await other.store.hosts.renew(other.registration, judge=False)
        assert (await other.store.hosts.renew(other.registration, judge=True)).dead == 1
        assert not (await one.store.hosts.renew(one.registration, judge=False)).renewed
        (orphan,) = await other.store.queue.orphans(10)
        assert await other.settle(orphan.claim, after_death(orphan.claim, "its host died"))
        assert not await one.settle(claim)
        assert await one.claim() == []
        (again,) = await other.claim()
        assert (again.operation, again.deaths) == (operation, 1)

    @promise
    async def test_the_living_are_left_alone(self, one: Process, other: Process, clock: TurnedClock) -> None:
        """Up to the end of its lease, and whenever it renews in time."""
        await one.submit()
        await one.claim()
        for _ in range(3):
            clock.turn(LEASE)
            assert (await other.store.hosts.renew(other.registration, judge=True)).dead == 0
            assert (await one.store.hosts.renew(one.registration, judge=False)).renewed
        assert await other.store.queue.orphans(10) == []

    @promise
    async def test_a_cancel_ends_what_waits_and_asks_what_runs(self, one: Process, other: Process, clock: TurnedClock) -> None:
        """What nobody holds is cancelled at once; of what is held, its host is told."""
        running, waiting = await one.submit(2)
        (claim,) = await one.claim(1)
        assert await other.store.operations.cancel(waiting, "no longer wanted") == "cancelled"
        assert await other.store.operations.cancel(running, "no longer wanted") == "asked"
        assert await one.store.queue.asked(one.host) == [(running, claim.token)]
        assert (await one.status(waiting), await one.status(running)) == (Status.CANCELLED, Status.PROCESSING)
        assert await one.claim() == []


def _with_retries(claim: Claim) -> Claim:
    return msgspec.structs.replace(claim, options=Options(retries=5))

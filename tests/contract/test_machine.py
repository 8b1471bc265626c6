"""Any order of events: a small model of the queue, and each engine held against it after every step."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from opwright.clock import SECOND, TurnedClock
from opwright.errors import KeyTaken
from opwright.model.claim import Claim, DelayReason, End, Postpone, Verdict, after_death, after_error, hand_back
from opwright.model.host import HostState, Renewal
from opwright.model.operation import OnConflict, Operation
from opwright.model.options import Backoff, Options
from opwright.model.status import Status, may_move
from opwright.store.queue import Marked
from opwright.store.statements import _statement, render
from opwright.store.store import Store, engine_for
from tests.contract.kit import (
    CANCELLATION,
    FAILURE,
    PLACES,
    QUEUE,
    SUCCESS,
    Member,
    ids,
    join,
    operation,
    wait,
)

T = TypeVar("T")
LEASE = 12
TABLES = (*PLACES, "operations", "operationstatus", "operation_keys", "cancel_requests", "hosts")
EVERYWHERE = " union all ".join(
    f"select '{name}' as place, operation, {'token, host' if name == 'claimed' else '0 as token, 0 as host'} from opwright.{name}"
    for name in PLACES
)


@dataclass(frozen=True, eq=False)
class Hold:
    """A claim and who made it."""

    host: int
    claim: Claim


Way = Callable[[Claim], Verdict]


def succeeded(_: Claim) -> Verdict:
    return SUCCESS


def failed(_: Claim) -> Verdict:
    return FAILURE


def cancelled(_: Claim) -> Verdict:
    return CANCELLATION


def raised(claim: Claim) -> Verdict:
    return after_error(claim, "it broke", 0.5)


def died(claim: Claim) -> Verdict:
    return after_death(claim, "its worker died")


def waits(claim: Claim) -> Verdict:
    return wait(claim, 5)


picks = st.integers(0, 99)
ways = st.sampled_from([hand_back, succeeded, died, raised, waits, cancelled, failed])


def _picked(some: Sequence[T], pick: int) -> T:
    """One of these; the newest for 0."""
    return some[-1 - pick % len(some)]


@dataclass
class Twin:
    """What the model knows about one operation."""

    id: int
    rank: int
    key: str | None
    options: Options
    status: Status = Status.PENDING
    place: str = "ready"
    due: int = 0
    errors: int = 0
    deaths: int = 0
    token: int = 0
    host: int = 0
    ahead: bool = False

    def go(self, status: Status, place: str) -> None:
        """Move; whoever held it holds it no more."""
        assert status is self.status or may_move(self.status, status)
        self.status, self.place, self.token, self.host, self.ahead = status, place, 0, 0, False


@dataclass
class Lease:
    """What the model knows about one host."""

    member: Member
    renewed: int
    state: HostState = HostState.ALIVE


@dataclass
class World:
    """The real stores of one engine, opened once for all examples, and the loop that they live on."""

    runner: asyncio.Runner
    clock: TurnedClock
    stores: list[Store] = field(default_factory=list)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def open(self, url: str) -> None:
        """Two processes, each with a statement that shows where everything is."""
        for _ in range(2):
            store = Store(engine_for(url, self.clock))
            await store.open()
            dialect, schema = store.engine.dialect, store.engine.schema
            own = {"everywhere": _statement("everywhere", render(EVERYWHERE, dialect, schema), dialect)}
            own |= {
                f"empty_{table}": _statement(f"empty_{table}", render(f"delete from opwright.{table}", dialect, schema), dialect)
                for table in TABLES
            }
            store.engine.statements = store.engine.statements | own
            self.stores.append(store)

    async def close(self) -> None:
        for store in self.stores:
            await store.close()

    async def empty(self) -> None:
        for table in TABLES:
            await self.stores[0].engine.run(f"empty_{table}")


class QueueMachine(RuleBasedStateMachine):
    """Everything that hosts, clients, crashes and the clock may do to the queue, in any order."""

    world: ClassVar[World]

    operations: Bundle[int] = Bundle("operations")
    hosts: Bundle[int] = Bundle("hosts")

    def __init__(self) -> None:
        super().__init__()
        self.twins: dict[int, Twin] = {}
        self.leases: dict[int, Lease] = {}
        self.history: list[Hold] = []
        self.requests: set[int] = set()
        self.seen: dict[int, Operation] = {}
        self.store = self.world.stores[0]
        self.run(self.world.empty())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.world.run(work)

    @property
    def now(self) -> int:
        return self.world.clock.now()

    # ------------------------------------------------------------------------------------------------ clients

    @rule(
        target=operations,
        count=st.integers(1, 4),
        priority=st.integers(-1, 1),
        delay=st.sampled_from([0, 0, 0, 5]),
        budget=st.integers(0, 2),
    )
    def submit(self, count: int, priority: int, delay: int, budget: int) -> Any:
        options = Options(budget, budget, backoff=Backoff(first=5, jitter=0))
        new = [operation(priority=priority, wait=delay * SECOND, options=options) for _ in range(count)]
        self.run(self.store.operations.submit(new))
        for each in new:
            self._add(each.id, -priority, None, options, delay)
        return multiple(*(each.id for each in new))

    @rule(
        target=operations,
        key=st.sampled_from("ab"),
        delay=st.sampled_from([0, 0, 5]),
        on_conflict=st.sampled_from(OnConflict),
    )
    def submit_keyed(self, key: str, delay: int, on_conflict: OnConflict) -> Any:
        options = Options(retries=1, backoff=Backoff(first=5, jitter=0))
        new = operation(key=key, wait=delay * SECOND, options=options)
        holder = next((twin for twin in self.twins.values() if twin.key == key and not twin.status.ended), None)
        submitting = self.store.operations.submit_keyed(new, on_conflict)
        if holder is None or (on_conflict is OnConflict.REPLACE and holder.place != "claimed"):
            assert self.run(submitting) == new.id
            if holder is not None:
                holder.go(Status.CANCELLED, "outcomes")
            self._add(new.id, 0, key, options, delay)
            return new.id
        if on_conflict is OnConflict.SKIP:
            assert self.run(submitting) == holder.id
            return multiple()
        with pytest.raises(KeyTaken) as caught:
            self.run(submitting)
        assert caught.value.winner == holder.id
        return multiple()

    @rule(target=operations, host=hosts, priority=st.integers(-1, 1), budget=st.integers(0, 2))
    def submit_beside(self, host: int, priority: int, budget: int) -> int:
        """In the process of a host with a free slot: it holds it at once, unless it is dead or stopped."""
        options = Options(budget, budget, backoff=Backoff(first=5, jitter=0))
        new = operation(priority=priority, options=options)
        lease = self.leases[host]
        claim = self.run(lease.member.begin(new))
        self._add(new.id, -priority, None, options, 0)
        assert (claim is not None) == (lease.state is HostState.ALIVE)
        if claim is not None:
            self._hold(host, claim, ahead=False)
        return new.id

    def _add(self, identifier: int, rank: int, key: str | None, options: Options, delay: int) -> None:
        twin = self.twins[identifier] = Twin(identifier, rank, key, options)
        if delay:
            twin.place, twin.due = "delayed", self.now + delay * SECOND

    @rule(identifier=operations, unknown=st.booleans())
    def cancel_or_fail(self, identifier: int, *, unknown: bool) -> None:
        """Somebody cancels it, or the sweep finds that nobody knows its trigger."""
        if unknown:
            self._fail_unclaimed(self.twins[identifier])
        else:
            self._cancel(self.twins[identifier])

    def _cancel(self, twin: Twin) -> None:
        expected = {"claimed": "asked", "outcomes": "nothing"}.get(twin.place, "cancelled")
        assert self.run(self.store.operations.cancel(twin.id, "no longer wanted")) == expected
        if expected == "asked":
            self.requests.add(twin.id)
        elif expected == "cancelled":
            twin.go(Status.CANCELLED, "outcomes")

    def _fail_unclaimed(self, twin: Twin) -> None:
        failing = self.store.queue.fail_ready([(QUEUE, twin.rank, twin.id, "nobody knows it")])
        assert self.run(failing) == ({twin.id} if twin.place == "ready" else set())
        if twin.place == "ready":
            twin.go(Status.FAILED, "outcomes")

    # -------------------------------------------------------------------------------------------------- hosts

    @initialize(target=hosts)
    def first_hosts(self) -> Any:
        return multiple(self._join(0), self._join(1))

    @initialize(target=operations, count=st.integers(2, 6))
    def first_operations(self, count: int) -> Any:
        return self.submit(count, 0, 0, 1)

    @rule(target=hosts, host=hosts, what=st.sampled_from(["renews", "judges", "judges", "leaves", "joins"]))
    def host_acts(self, host: int, what: str) -> Any:
        if what == "leaves":
            self._say_good_bye(host)
        elif what != "joins":
            self._renew(host, judge=what == "judges")
        elif len(self._alive()) < 3:
            return self._join(host % 2)
        return multiple()

    def _join(self, process: int) -> int:
        member = self.run(join(self.world.stores[process], lease=LEASE))
        self.leases[member.id] = Lease(member, self.now)
        return member.id

    def _alive(self) -> list[int]:
        return [host for host, lease in self.leases.items() if lease.state is HostState.ALIVE]

    def _held_by(self, hosts: list[int]) -> list[Twin]:
        return [twin for twin in self.twins.values() if twin.host in hosts]

    def _renew(self, host: int, *, judge: bool) -> None:
        """Also of a host that was away for long: judged meanwhile it is told so, else it simply goes on."""
        if judge:
            for other, lease in self.leases.items():
                if other != host and lease.state is HostState.ALIVE and lease.renewed + LEASE * SECOND < self.now:
                    lease.state = HostState.DEAD
        mine = self.leases[host]
        if mine.state is HostState.ALIVE:
            mine.renewed = self.now
        dead = sum(lease.state is HostState.DEAD for lease in self.leases.values())
        others = len([other for other in self._alive() if other != host])
        expected = Renewal(renewed=mine.state is HostState.ALIVE, dead=dead, others=others)
        assert self.run(mine.member.renew(judge=judge)) == expected

    @rule(host=hosts, forgetful=st.sampled_from([False, False, False, True]))
    def tidy_up(self, host: int, *, forgetful: bool) -> None:
        """A host takes over what the dead held, or gives back what it has itself forgotten."""
        if forgetful:
            self._find_lost_claims(host)
        else:
            self._rescue(host)

    def _rescue(self, rescuer: int) -> None:
        """Again, or cancelled when somebody had asked, or failed when its recoveries are used up."""
        dead = [host for host, lease in self.leases.items() if lease.state is HostState.DEAD]
        expected = sorted(self._held_by(dead), key=lambda twin: twin.id)
        orphans = self.run(self.store.queue.orphans(1000))
        found = [(orphan.claim.operation, orphan.claim.token, orphan.asked) for orphan in orphans]
        assert found == [(twin.id, twin.token, twin.id in self.requests) for twin in expected]
        verdicts = [(orphan.claim, cancelled if orphan.asked else died) for orphan in orphans]
        landed = self.run(self.leases[rescuer].member.settle(*((claim, way(claim)) for claim, way in verdicts)))
        assert landed == {twin.id for twin in expected}
        for claim, way in verdicts:
            self._apply(self.twins[claim.operation], way(claim))

    def _say_good_bye(self, host: int) -> None:
        lease = self.leases[host]
        self.run(lease.member.store.hosts.stop(lease.member.registration))
        if lease.state is HostState.ALIVE:
            lease.state = HostState.DEAD if self._held_by([host]) else HostState.STOPPED

    # ------------------------------------------------------------------------------------- claims and verdicts

    # Examples leave out some rules at random: what everything depends on can be done in two ways.

    @rule(pick=picks)
    @precondition(lambda self: self._alive())
    def claim(self, pick: int) -> None:
        self._claim(_picked(self._alive(), pick), 3, ahead=False)

    @rule(host=hosts, limit=st.integers(1, 4), ahead=st.booleans())
    def claim_somehow(self, host: int, limit: int, *, ahead: bool) -> None:
        """Also for later, and also by the dead and the stopped, who get nothing."""
        self._claim(host, limit, ahead=ahead)

    def _claim(self, host: int, limit: int, *, ahead: bool) -> None:
        lease = self.leases[host]
        ready = [twin for twin in self.twins.values() if twin.place == "ready"]
        ready.sort(key=lambda twin: (twin.rank, twin.id))
        expected = ready[:limit] if lease.state is HostState.ALIVE else []
        got = self.run(lease.member.claim(limit, ahead=ahead))
        assert ids(got) == [twin.id for twin in expected]
        for claim, twin in zip(got, expected, strict=True):
            assert (claim.errors, claim.deaths, claim.key) == (twin.errors, twin.deaths, twin.key)
            self._hold(host, claim, ahead=ahead)

    def _hold(self, host: int, claim: Claim, *, ahead: bool) -> None:
        twin = self.twins[claim.operation]
        twin.go(Status.PENDING if ahead else Status.PROCESSING, "claimed")
        twin.token, twin.host, twin.ahead = claim.token, host, ahead
        self.history.append(Hold(host, claim))

    def _holds(self, *, standing: bool) -> list[Hold]:
        """Claims that stand, or those that somebody may still believe in."""
        return [hold for hold in self.history if self._stands(hold.claim) is standing]

    def _stands(self, claim: Claim) -> bool:
        return self.twins[claim.operation].token == claim.token

    def _mark(self, claim: Claim) -> None:
        """By whoever holds it no more nothing comes of it."""
        row = Marked(claim.operation, claim.token, 42, self.now, self.now)
        self.run(self.store.queue.mark([row]))
        twin = self.twins[claim.operation]
        if self._stands(claim) and twin.ahead:
            assert may_move(twin.status, Status.PROCESSING)
            twin.status, twin.ahead = Status.PROCESSING, False
            self.check()

    @rule(pick=picks, way=ways)
    @precondition(lambda self: self._holds(standing=True))
    def settle(self, pick: int, way: Way) -> None:
        """The owner says how it went."""
        hold = _picked(self._holds(standing=True), pick)
        self._settle(hold.host, [(hold.claim, way)])

    @rule(pick=picks, way=ways | st.none())
    @precondition(lambda self: self._holds(standing=False))
    def settle_late(self, pick: int, way: Way | None) -> None:
        """A zombie says how it went, or goes; if possible about what somebody else holds by now."""
        late = self._holds(standing=False)
        held = [hold for hold in late if self.twins[hold.claim.operation].place == "claimed"]
        hold = _picked(held or late, pick)
        if way is None:
            self._mark(hold.claim)
        else:
            self._settle(hold.host, [(hold.claim, way)])

    @rule(picked=st.lists(st.tuples(picks, ways), min_size=2, max_size=6))
    @precondition(lambda self: len(self.history) > 1)
    def settle_many(self, picked: list[tuple[int, Way]]) -> None:
        """One batch of old and new claims, each with a verdict of its own."""
        batch = {_picked(self.history, pick): way for pick, way in picked}
        host = next(iter(batch)).host
        self._settle(host, [(hold.claim, way) for hold, way in batch.items()])

    def _find_lost_claims(self, host: int) -> None:
        store = self.leases[host].member.store
        mine = self._held_by([host])
        held = self.run(store.queue.claims_of(host))
        assert sorted(held) == sorted((twin.id, twin.token) for twin in mine)
        self.run(
            store.queue.give_back(host, [(twin.id, twin.token or 0) for twin in self.twins.values()])
        )  # what is not its own stays
        for twin in mine:
            twin.go(Status.PENDING, "ready")

    def _settle(self, host: int, said: list[tuple[Claim, Way]]) -> None:
        for claim, way in said:  # what was claimed ahead begins before it ends in any way but a hand-back
            if self._stands(claim) and self.twins[claim.operation].ahead and way is not hand_back:
                self._mark(claim)
        settlements = [(claim, way(claim)) for claim, way in said]
        standing = [(claim, verdict) for claim, verdict in settlements if self._stands(claim)]
        landed = self.run(self.leases[host].member.settle(*settlements))
        assert landed == {claim.operation for claim, _ in standing}
        for claim, verdict in standing:
            self._apply(self.twins[claim.operation], verdict)

    def _apply(self, twin: Twin, verdict: Verdict) -> None:
        if isinstance(verdict, End):
            twin.go(verdict.code.status, "outcomes")
            if verdict.code is CANCELLATION.code:
                self.requests.discard(twin.id)
            return
        twin.errors, twin.deaths = verdict.errors, verdict.deaths
        if isinstance(verdict, Postpone):
            twin.go(Status.WAIT if verdict.reason is DelayReason.WAIT else Status.PENDING, "delayed")
            hastened = (
                verdict.reason is DelayReason.WAIT and twin.id in self.requests
            )  # to be cancelled at once, not when it is due
            twin.due = 0 if hastened else self.now + round(verdict.delay * SECOND)
        else:
            twin.go(Status.PENDING, "ready")

    # --------------------------------------------------------------------------------------------------- time

    @rule(seconds=st.sampled_from([1, 5, 13]), promoted=st.sampled_from([1000, 1000, 1, 0]))
    def time_passes(self, seconds: int, promoted: int) -> None:
        """What is due becomes ready, and what is over is swept."""
        self.world.clock.turn(seconds)
        self.run(self.store.queue.forget_requests())
        self.requests = {each for each in self.requests if not self.twins[each].status.ended}
        self._promote(promoted)

    def _promote(self, limit: int) -> None:
        due = [twin for twin in self.twins.values() if twin.place == "delayed" and twin.due <= self.now]
        assert len(self.run(self.store.queue.promote(limit))) == min(limit, len(due))
        if limit < len(due):  # which of several that are due at once is the engine's choice: the earliest, or a tie
            ready = {identifier for place, identifier, *_ in self._everywhere() if place == "ready"}
            earliest = min(twin.due for twin in due)
            due = [twin for twin in due if twin.id in ready]
            assert [twin.due for twin in due] == [earliest] * limit
        for twin in due:
            twin.go(Status.PENDING, "ready")

    # --------------------------------------------------------------------------------------------- invariants

    def _everywhere(self) -> list[tuple[str, int, int, int]]:
        return [tuple(row) for row in self.run(self.store.engine.run("everywhere"))]

    @invariant()
    def check(self) -> None:
        """Each operation is in exactly one place, held by one claim at most, and reads as the model says."""
        found = sorted(self._everywhere())
        assert found == sorted((twin.place, twin.id, twin.token, twin.host) for twin in self.twins.values())
        seen = {each.id: each for each in self.run(self.store.operations.latest(10_000))}
        assert {each.id: each.status for each in seen.values()} == {t.id: t.status for t in self.twins.values()}
        for before in self.seen.values():
            after = seen[before.id]
            if before.status.ended:
                assert after == before
            elif after.status is not before.status:
                assert may_move(before.status, after.status)
        self.seen = seen

    @invariant()
    def requests_reach_the_owner(self) -> None:
        """Each host is asked about exactly what it holds and somebody wants cancelled."""
        for host, lease in self.leases.items():
            wanted = sorted(twin.id for twin in self._held_by([host]) if twin.id in self.requests)
            assert sorted(self.run(lease.member.asked())) == wanted


@pytest.fixture
def world(contract_url: str) -> Iterator[World]:
    """The stores of one engine for all examples of a run."""
    with asyncio.Runner() as runner:
        world = World(runner, TurnedClock())
        world.run(world.open(contract_url))
        yield world
        world.run(world.close())


@pytest.mark.timeout(600)  # a pass takes seconds; a failure is made small before it is shown, for at most five minutes
def test_the_queue_behaves_as_its_model(world: World) -> None:
    """Whatever happens in whatever order: no double hold, no stale write, no change after the end, nothing lost."""

    class Machine(QueueMachine):
        pass

    Machine.world = world
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    bounds = settings(max_examples=50, stateful_step_count=50, deadline=None, suppress_health_check=checks)
    run_state_machine_as_test(Machine, settings=bounds)

"""The lease: renewed in time, trusted for less than it lasts, and never used to judge others on a doubt."""

import asyncio
from collections.abc import Sequence

import pytest

from opwright.clock import TurnedClock
from opwright.errors import StoreUnavailable, StoreUncertain
from opwright.model.host import Host, HostState, Registration, Renewal
from opwright.model.worker import Worker
from opwright.scheduler.lease import Identity, Lease, Terms
from opwright.store.engine import Engine
from opwright.store.hosts import Hosts
from opwright.store.store import Store
from opwright.telemetry import recorded
from tests.contract.kit import join


class WatchedHosts(Hosts):
    """The real gateway; it can be away, be slow by the turned clock, and remembers who was judged."""

    def __init__(self, engine: Engine, clock: TurnedClock) -> None:
        super().__init__(engine)
        self._clock = clock
        self.judged: list[bool] = []
        self.away = False
        self.seconds = 0.0

    async def renew(
        self, host: Registration, *, judge: bool, workers: Sequence[Worker] = (), within: float | None = None
    ) -> Renewal:
        if self.away:
            raise StoreUnavailable("gone")
        self.judged.append(judge)
        answer = await super().renew(host, judge=judge, workers=workers, within=within)
        self._clock.turn(self.seconds)
        return answer


class Bench:
    def __init__(self, store: Store, clock: TurnedClock, terms: Terms) -> None:
        self.store = store
        self.hosts = WatchedHosts(store.engine, clock)
        self.renewals: list[Renewal] = []
        self.losses: list[int] = []
        identity = Identity("me", 4711, "1.2", ("a", "b"), ["work", "other"])
        self.lease = Lease(self.hosts, identity, terms, clock, renewed=self._renewed, lost=self._lost)

    async def _renewed(self, renewal: Renewal) -> None:
        self.renewals.append(renewal)

    async def _lost(self) -> None:
        self.losses.append(self.lease.host)

    async def row(self, number: int) -> Host:
        (found,) = [host for host in await self.store.hosts.all() if host.id == number]
        return found


async def registered(store: Store, clock: TurnedClock, terms: Terms | None = None) -> Bench:
    bench = Bench(store, clock, terms or Terms(lease=12, renew=3, margin=2))
    await bench.lease.register()
    return bench


async def test_a_host_registers_what_it_is(store: Store, clock: TurnedClock) -> None:
    """Others read who it is, what it serves and what it can run."""
    bench = await registered(store, clock)
    row = await bench.row(bench.lease.host)
    assert (row.name, row.pid, row.version, row.state) == ("me", 4711, "1.2", HostState.ALIVE)
    assert (row.queues, row.triggers, row.lease) == (("a", "b"), ("other", "work"), 12_000_000)


async def test_a_renewal_moves_the_lease_and_comes_again(store: Store, clock: TurnedClock) -> None:
    """It returns the seconds until the next one, and says what it found."""
    bench = await registered(store, clock)
    await join(store)
    clock.turn(3)
    assert await bench.lease.run_once() == 3
    assert bench.renewals == [Renewal(renewed=True, dead=0, others=1)]
    assert (await bench.row(bench.lease.host)).age == 0


async def test_trust_ends_before_the_lease(store: Store, clock: TurnedClock) -> None:
    """By the margin: whoever trusts can still finish a statement before another host may judge."""
    bench = await registered(store, clock)
    clock.turn(9.9)
    assert bench.lease.trusted()
    clock.turn(0.1)
    assert not bench.lease.trusted()
    await bench.lease.run_once()
    assert bench.lease.trusted()


async def test_trust_counts_from_before_the_renewal_was_sent(store: Store, clock: TurnedClock) -> None:
    """The answer took four seconds: the lease began when the database wrote it, perhaps four seconds ago."""
    bench = await registered(store, clock)
    bench.hosts.seconds = 4.0
    await bench.lease.run_once()
    clock.turn(5.9)
    assert bench.lease.trusted()
    clock.turn(0.2)
    assert not bench.lease.trusted()


@pytest.mark.fault("F43")
async def test_a_clock_set_back_gives_no_trust(store: Store, clock: TurnedClock) -> None:
    """Monotonic time only ever shortens trust; the clock on the wall has no say in it."""
    bench = await registered(store, clock)
    clock.turn(-3600)
    clock.turn(10.1)
    assert not bench.lease.trusted()


async def test_a_failed_renewal_extends_nothing(store: Store, clock: TurnedClock) -> None:
    """The error goes to the service, which tries again; trust runs out meanwhile."""
    bench = await registered(store, clock)
    clock.turn(6)
    bench.hosts.away = True
    with pytest.raises(StoreUnavailable):
        await bench.lease.run_once()
    clock.turn(5)
    assert not bench.lease.trusted()
    bench.hosts.away = False
    await bench.lease.run_once()
    assert bench.lease.trusted()
    assert bench.losses == []


async def test_what_is_written_with_a_renewal_delays_the_next_no_longer_than_a_renewal(
    store: Store, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer never comes: the lease was renewed, and is again before it lapses."""
    bench, loop = await registered(store, clock), asyncio.get_running_loop()
    time, patience = loop.time, bench.lease._patience

    def never(_: Renewal) -> asyncio.Future[None]:
        monkeypatch.setattr(loop, "time", lambda: time() + patience)  # from here on the time of the renewal is over
        return loop.create_future()

    monkeypatch.setattr(bench.lease, "_on_renewed", never)
    clock.turn(6)
    with pytest.raises(StoreUncertain, match="has not answered a renewal"):
        await asyncio.wait_for(bench.lease.run_once(), 10 + patience)
    clock.turn(9)
    assert bench.lease.trusted()


async def test_a_host_judges_only_after_a_whole_unbroken_lease(store: Store, clock: TurnedClock) -> None:
    """Not when it has just come, and not before its own renewals have gone through for as long as a lease lasts."""
    victim = await join(store)
    bench = await registered(store, clock)
    for _ in range(5):
        await bench.lease.run_once()
        clock.turn(3)
    assert bench.hosts.judged == [False, False, False, False, True]
    assert (await bench.row(victim.id)).state is HostState.ALIVE  # at 12 s its lease of 12 s had not lapsed yet
    await bench.lease.run_once()
    assert bench.hosts.judged[-1]
    assert (await bench.row(victim.id)).state is HostState.DEAD
    assert bench.renewals[-1].dead == 1


async def test_after_a_break_it_takes_a_whole_lease_again(store: Store, clock: TurnedClock) -> None:
    """After a restart of the database nobody has renewed, and nobody is to blame."""
    victim = await join(store)
    bench = await registered(store, clock)
    for _ in range(4):
        clock.turn(3)
        await bench.lease.run_once()
    bench.hosts.away = True
    clock.turn(100)
    with pytest.raises(StoreUnavailable):
        await bench.lease.run_once()
    bench.hosts.away = False
    bench.hosts.judged.clear()
    await bench.lease.run_once()
    await victim.renew()
    for _ in range(4):
        clock.turn(3)
        await victim.renew()
        await bench.lease.run_once()
    assert bench.hosts.judged == [False, False, False, False, True]
    assert (await bench.row(victim.id)).state is HostState.ALIVE


@pytest.mark.fault("F44")
async def test_a_renewal_that_comes_late_makes_no_judge(store: Store, clock: TurnedClock) -> None:
    """The server was frozen, or this process, or the whole machine: what held us up may have held up the others.

    So nobody is judged by that renewal, nor for a whole lease after it.
    """
    victim = await join(store)
    bench = await registered(store, clock)
    for _ in range(5):
        await bench.lease.run_once()
        await victim.renew()
        clock.turn(3)
    clock.turn(30)
    await bench.lease.run_once()
    assert bench.hosts.judged[-1]  # it had every reason to, when it sent it
    assert (await bench.row(victim.id)).state is HostState.ALIVE
    bench.hosts.judged.clear()
    for _ in range(4):
        clock.turn(3)
        await bench.lease.run_once()
    assert bench.hosts.judged == [False, False, False, True]  # a whole lease again


@pytest.mark.fault("F73")
async def test_a_lapsed_lease_that_nobody_took_is_simply_renewed(store: Store, clock: TurnedClock) -> None:
    """The same host, the same claims: age alone takes nothing away."""
    bench = await registered(store, clock)
    before = bench.lease.host
    clock.turn(3600)
    await bench.lease.run_once()
    assert bench.lease.host == before
    assert bench.losses == []
    assert bench.lease.trusted()


async def test_a_host_that_was_taken_over_returns_under_a_new_identity(store: Store, clock: TurnedClock) -> None:
    """It is told first, so that it can drop what it holds; then it registers afresh, at once."""
    bench = await registered(store, clock)
    old = bench.lease.host
    judge = await join(store)
    clock.turn(13)
    await judge.renew(judge=True)
    with recorded() as events:
        assert await bench.lease.run_once() == 0
    assert bench.losses == [old]
    assert ("host.lost", {"host": old}) in events
    assert bench.lease.host != old
    assert (await bench.row(old)).state is HostState.DEAD
    assert (await bench.row(bench.lease.host)).state is HostState.ALIVE
    assert bench.lease.trusted()


async def test_one_that_was_taken_over_is_no_judge_for_a_whole_lease(store: Store, clock: TurnedClock) -> None:
    """Its new identity begins without a record."""
    bench = await registered(store, clock)
    for _ in range(5):
        await bench.lease.run_once()
        clock.turn(3)
    judge = await join(store)
    clock.turn(13)
    await judge.renew(judge=True)
    await bench.lease.run_once()
    bench.hosts.judged.clear()
    await bench.lease.run_once()
    clock.turn(3)
    await bench.lease.run_once()
    assert bench.hosts.judged == [False, False]


async def test_good_bye_ends_trust_at_once(store: Store, clock: TurnedClock) -> None:
    """The row says STOPPED, and nothing more is done in its name."""
    bench = await registered(store, clock)
    await bench.lease.say_good_bye()
    assert not bench.lease.trusted()
    assert (await bench.row(bench.lease.host)).state is HostState.STOPPED

"""Hosts: a lease is judged by the database's clock, and what a dead host held is taken over exactly once."""

import pytest

from opwright.clock import SECOND, TurnedClock
from opwright.model.claim import Verdict, after_death
from opwright.model.host import HostState, Renewal
from opwright.model.options import Options
from opwright.model.status import Status
from opwright.store.postgresql import PostgresEngine
from opwright.store.queue import Marked
from opwright.store.store import Store
from tests.contract.kit import (
    ENDS,
    FAILURE,
    HAND_BACK,
    SUCCESS,
    Member,
    ids,
    is_postgresql,
    join,
    operation,
    places,
    promptly,
    query,
    retry,
    status,
    submit,
)

LATE_VERDICTS = [
    pytest.param(SUCCESS, id="finish"),
    pytest.param(FAILURE, id="fail"),
    pytest.param(HAND_BACK, id="release"),
]


async def judge(rescuer: Member, clock: TurnedClock, seconds: float = 13) -> Renewal:
    """Let time pass while only the rescuer renews, then let it judge."""
    clock.turn(seconds)
    await rescuer.renew()
    return await rescuer.renew(judge=True)


async def rescue(rescuer: Member) -> list[int]:
    """Take over every claim of dead hosts, as housekeeping does; what landed."""
    orphans = await rescuer.store.queue.orphans(100)
    rescued = ((orphan.claim, after_death(orphan.claim, "its host died")) for orphan in orphans)
    return sorted(await rescuer.settle(*rescued))


async def test_a_registered_host_is_seen_by_all(store: Store, other: Store, clock: TurnedClock) -> None:
    """Every process reads who is there, since when, with which triggers and queues."""
    registration = await store.hosts.register(
        name="näme", pid=42, version="1.2", lease=12.5, queues=["a", "b"], triggers=["z", "y"]
    )
    clock.turn(2)
    (row,) = await other.hosts.all()
    assert (row.id, row.name, row.pid, row.version, row.state) == (registration.id, "näme", 42, "1.2", HostState.ALIVE)
    assert (row.queues, set(row.triggers), row.lease) == (("a", "b"), {"y", "z"}, 12_500_000)
    assert (row.started, row.renewed, row.age) == (clock.now() - 2 * SECOND, row.started, 2 * SECOND)


async def test_an_id_is_never_given_twice(store: Store, clock: TurnedClock) -> None:
    """Claims name their host by id, so a forgotten host's id must not come back."""
    first = await join(store)
    await store.hosts.stop(first.registration)
    clock.turn(100)
    await store.hosts.forget(1)
    assert await store.hosts.all() == []
    assert (await join(store)).id != first.id


async def test_a_renewal_starts_the_lease_again(host: Member, rival: Member, clock: TurnedClock) -> None:
    """Whoever renews within its lease is never judged."""
    for _ in range(5):
        clock.turn(11)
        assert (await host.renew()).renewed
        assert await rival.renew(judge=True) == Renewal(renewed=True, dead=0, others=1)
    assert (await host.row()).state is HostState.ALIVE


async def test_whoever_was_late_itself_judges_nobody(host: Member, rival: Member, clock: TurnedClock) -> None:
    """A renewal that lay in a frozen server finds every lease lapsed, its own too."""
    clock.turn(13)
    assert await rival.store.hosts.renew(rival.registration, judge=True, within=6) == Renewal(renewed=True, dead=0, others=1)
    assert (await host.row()).state is HostState.ALIVE
    clock.turn(5)
    assert await rival.store.hosts.renew(rival.registration, judge=True, within=6) == Renewal(renewed=True, dead=1, others=0)


async def test_only_a_lapsed_lease_is_judged(host: Member, rival: Member, clock: TurnedClock) -> None:
    """Up to the last microsecond of its lease a host stands; after it, it may be judged."""
    await rival.renew()
    clock.turn(12)
    await rival.renew(judge=True)
    assert (await host.row()).state is HostState.ALIVE
    clock.turn(1e-6)
    await rival.renew(judge=True)
    assert (await host.row()).state is HostState.DEAD


async def test_each_host_is_judged_by_its_own_lease(store: Store, clock: TurnedClock) -> None:
    """A host that asked for a longer lease has it."""
    short, long, rescuer = await join(store, lease=5), await join(store, lease=60), await join(store)
    await judge(rescuer, clock, 10)
    assert ((await short.row()).state, (await long.row()).state) == (HostState.DEAD, HostState.ALIVE)


async def test_a_plain_renewal_judges_nobody(host: Member, rival: Member, clock: TurnedClock) -> None:
    """Judging is asked for; a host that has just come back to life does not accuse the others."""
    clock.turn(100)
    assert await rival.renew() == Renewal(renewed=True, dead=0, others=1)
    assert (await host.row()).state is HostState.ALIVE


async def test_a_lapsed_host_that_nobody_judged_simply_renews(
    store: Store, host: Member, rival: Member, clock: TurnedClock
) -> None:
    """Being late costs nothing unless somebody noticed: the host goes on with its claims."""
    await submit(store)
    claim = await host.take()
    clock.turn(1000)
    assert (await host.renew()).renewed
    await rival.renew(judge=True)
    assert (await host.row()).state is HostState.ALIVE
    assert await host.end(claim)


async def test_a_judged_host_is_told_and_stays_dead(host: Member, rival: Member, clock: TurnedClock) -> None:
    """No renewal brings a judged host back; it must return under a new identity."""
    await judge(rival, clock)
    for _ in range(2):
        assert not (await host.renew()).renewed
        assert not (await host.renew(judge=True)).renewed
    assert (await host.row()).state is HostState.DEAD


@pytest.mark.parametrize("name", ["host", "another"])
async def test_nobody_renews_or_stops_the_row_of_another(store: Store, clock: TurnedClock, name: str) -> None:
    """A database that has lost its last commits gives an id again, perhaps to a host of the same name: one of the two returns."""
    lost = await join(store)
    await forget_commit(lost)
    clock.turn(1)
    host = await join(store, name=name)
    assert host.id == lost.id
    clock.turn(1)
    assert not (await lost.renew()).renewed
    await store.hosts.stop(lost.registration)
    row = await host.row()
    assert (row.state, row.renewed) == (HostState.ALIVE, row.started)
    assert (await host.renew()).renewed


async def forget_commit(host: Member) -> None:
    """As if the server that has its row had died before it told the one that took over."""
    await query(host.store, f"delete from opwright.hosts where id = {host.id}")
    if is_postgresql(host.store):
        await query(host.store, f"select setval(pg_get_serial_sequence('opwright.hosts', 'id'), {host.id}, false)")
    else:
        await query(host.store, f"update sqlite_sequence set seq = {host.id} - 1 where name = 'opwright_hosts'")


async def test_a_renewal_counts_the_dead_and_the_living(store: Store, clock: TurnedClock) -> None:
    """The answer tells how many hosts are dead and how many others live, the ones just judged included."""
    rescuer, *lapsing = [await join(store) for _ in range(3)]
    assert await rescuer.renew() == Renewal(renewed=True, dead=0, others=2)
    clock.turn(13)
    await lapsing[0].renew()
    assert await rescuer.renew(judge=True) == Renewal(renewed=True, dead=1, others=1)
    assert await rescuer.renew() == Renewal(renewed=True, dead=1, others=1)


async def test_orphans_are_the_claims_of_dead_hosts_only(store: Store, host: Member, rival: Member, clock: TurnedClock) -> None:
    """The living and their claims are left alone, also a host that is late but not judged."""
    late = await join(store, lease=1000)
    await submit(store, 6)
    dead, alive, tardy = await host.claim(2), await rival.claim(2), await late.claim(2)
    await judge(rival, clock)
    orphans = await store.queue.orphans(100)
    assert [orphan.claim.operation for orphan in orphans] == sorted(ids(dead))
    assert [orphan.claim.token for orphan in orphans] == [claim.token for claim in dead]
    assert len(alive) == len(tardy) == 2


async def test_orphans_come_in_bounded_bites(store: Store, host: Member, rival: Member, clock: TurnedClock) -> None:
    """A rescuer takes over no more at once than it asked for."""
    await submit(store, 5)
    await host.claim()
    await judge(rival, clock)
    first = await store.queue.orphans(2)
    assert len(first) == 2
    rest = await store.queue.orphans(100, after=first[-1].claim.operation)
    assert [orphan.claim.operation for orphan in (*first, *rest)] == sorted((await places(store))["claimed"])


async def test_claims_of_a_host_that_is_in_no_table_are_orphans_too(store: Store, host: Member, rival: Member) -> None:
    """Somebody has deleted its row: nobody would ever judge it."""
    await submit(store, 2)
    claim, kept = await host.take(), await rival.take()
    await query(store, f"delete from opwright.hosts where id = {host.id}")
    assert [orphan.claim.operation for orphan in await store.queue.orphans(10)] == [claim.operation]
    assert await rescue(rival) == [claim.operation]
    assert (await places(store))["claimed"] == [kept.operation]


@pytest.mark.parametrize(
    "database_url", ["postgresql"], indirect=True
)  # on SQLite an open transaction keeps every writer waiting
async def test_a_claim_in_somebodys_open_transaction_keeps_no_rescue_waiting(
    store: Store, host: Member, rival: Member, clock: TurnedClock
) -> None:
    """A worker of the dead host has written its own end and not committed: the others are taken over, and that one is its own."""
    await submit(store, 3)
    locked, *others = await host.claim(3)
    await judge(rival, clock)
    assert isinstance(store.engine, PostgresEngine)
    async with store.engine.transaction() as raw:
        await raw.execute(f"delete from opwright.claimed where operation = {locked.operation}")
        assert await promptly(rescue(rival)) == ids(others)
    assert await rescue(rival) == []


async def test_an_orphan_carries_what_a_verdict_needs(store: Store, host: Member, rival: Member, clock: TurnedClock) -> None:
    """Counters, budgets, queue, rank, trigger and begin are those of the dead host's claim."""
    new = operation("work", priority=3, options=Options(retries=5, recoveries=2))
    await store.operations.submit([new])
    claim = await host.take()
    await host.end(claim, retry(claim, delay=0))
    await store.queue.promote()
    claim = await host.take()
    await store.queue.mark([Marked(claim.operation, claim.token, 42, 1_000_000, 1_000_000)])
    await judge(rival, clock)
    ((orphan, asked),) = await store.queue.orphans(10)
    expected = (claim.operation, claim.token, "work", "default", -3, 1, 0, claim.options)
    assert (orphan.operation, orphan.token, orphan.trigger, orphan.queue, orphan.rank, orphan.errors,
            orphan.deaths, orphan.options) == expected  # fmt: skip
    assert (orphan.begun, asked) == (1_000_000, False)


async def test_an_orphan_tells_whether_its_cancel_was_asked_for(
    store: Store, host: Member, rival: Member, clock: TurnedClock
) -> None:
    """A takeover that finds a request cancels instead of running it again."""
    one, two = await submit(store, 2)
    await host.claim()
    await store.operations.cancel(two, "no")
    await judge(rival, clock)
    assert {o.claim.operation: o.asked for o in await store.queue.orphans(10)} == {one: False, two: True}


@pytest.mark.parametrize("late", LATE_VERDICTS)
async def test_a_rescue_lands_and_the_zombies_write_does_not(
    store: Store, host: Member, rival: Member, clock: TurnedClock, late: Verdict
) -> None:
    """After the takeover the dead host's verdict changes nothing, before and after the next claim (F02)."""
    (one,) = await submit(store)
    claim = await host.take()
    await judge(rival, clock)
    assert await rescue(rival) == [one]
    assert not await host.end(claim, late)
    again = await rival.take()
    assert (again.operation, again.deaths) == (one, 1)
    assert not await host.end(claim, late)
    assert await rival.end(again, SUCCESS)
    assert await status(store, one) is Status.SUCCEEDED


@pytest.mark.parametrize("end", ENDS)
async def test_a_zombie_that_writes_before_the_rescue_has_ended_it(
    store: Store, host: Member, rival: Member, clock: TurnedClock, end: Verdict
) -> None:
    """What a judged host still ends before the takeover counts; a rescuer frozen in between finds nothing (F01)."""
    (one,) = await submit(store)
    claim = await host.take()
    await judge(rival, clock)
    ((orphan, _),) = await store.queue.orphans(10)
    assert await host.end(claim, end)
    assert not await rival.end(orphan, after_death(orphan, "its host died"))
    assert (await places(store))["outcomes"] == [one]


async def test_two_rescuers_take_over_once(store: Store, host: Member, rival: Member, clock: TurnedClock) -> None:
    """A rescuer frozen since it saw the orphans takes nothing from whoever has claimed them since (F01)."""
    await submit(store, 3)
    await host.claim()
    await judge(rival, clock)
    seen = await store.queue.orphans(10)
    late = [(orphan.claim, after_death(orphan.claim, "its host died")) for orphan in seen]
    assert len(await rescue(rival)) == 3
    assert await rival.settle(*late) == set()
    claims = await rival.claim()
    assert await rival.settle(*late) == set()
    assert [claim.deaths for claim in claims] == [1, 1, 1]
    assert await rival.settle(*((claim, SUCCESS) for claim in claims)) == set(ids(claims))


async def test_a_good_bye_without_claims_is_stopped(host: Member) -> None:
    """A host that holds nothing leaves in peace."""
    await host.store.hosts.stop(host.registration)
    assert (await host.row()).state is HostState.STOPPED
    assert not (await host.renew()).renewed


async def test_a_good_bye_with_claims_counts_as_death(store: Store, host: Member, rival: Member) -> None:
    """What a leaving host could not hand back is taken over at once, without waiting for its lease."""
    (one,) = await submit(store)
    await host.take()
    await store.hosts.stop(host.registration)
    assert (await host.row()).state is HostState.DEAD
    assert (await rival.renew()).dead == 1
    assert await rescue(rival) == [one]


async def test_a_good_bye_does_not_clear_a_dead_host(store: Store, host: Member, rival: Member, clock: TurnedClock) -> None:
    """A judged host that says good-bye stays dead, so that its claims are still taken over."""
    await submit(store)
    await host.take()
    await judge(rival, clock)
    await store.hosts.stop(host.registration)
    assert (await host.row()).state is HostState.DEAD
    assert len(await store.queue.orphans(10)) == 1


async def test_only_hosts_gone_long_enough_are_forgotten(store: Store, host: Member, rival: Member, clock: TurnedClock) -> None:
    """The living stay, the recently gone stay, the long gone go."""
    await store.hosts.stop(host.registration)
    clock.turn(60)
    await store.hosts.forget(60)
    assert len(await store.hosts.all()) == 2
    clock.turn(1e-6)
    await store.hosts.forget(60)
    assert [row.id for row in await store.hosts.all()] == [rival.id]


async def test_a_dead_host_with_claims_is_not_forgotten(store: Store, host: Member, rival: Member, clock: TurnedClock) -> None:
    """As long as something stands in its name, its row stays: who looks at the claim is to see whose it is."""
    await submit(store)
    await host.take()
    await judge(rival, clock)
    clock.turn(10_000)
    await rival.renew()
    await store.hosts.forget(60)
    assert [row.id for row in await store.hosts.all()] == [host.id, rival.id]
    assert len(await rescue(rival)) == 1
    await store.hosts.forget(60)
    assert [row.id for row in await store.hosts.all()] == [rival.id]

"""Housekeeping: what the dead held, what nobody can run, what is long over."""

import pytest

from opwright.clock import TurnedClock
from opwright.model.claim import NoteKind
from opwright.model.operation import OnConflict
from opwright.model.options import Options
from opwright.model.status import Status
from opwright.scheduler import housekeeping as housekeeping_module
from opwright.scheduler.housekeeping import FORGET_AGE, FORGET_PERIOD, PERIOD, Housekeeping
from opwright.store.queue import Marked
from opwright.store.store import Store
from tests.contract.kit import Member, join, operation, places, query, retry, status, submit


class Bench:
    """A host with housekeeping."""

    def __init__(self, store: Store, clock: TurnedClock, member: Member) -> None:
        self.member = member
        self.leftover = True
        self.keeping = Housekeeping(
            store.queue, store.hosts, clock, host=lambda: member.id, leftover=lambda: self.leftover, unknown_after=60.0
        )


@pytest.fixture
async def bench(store: Store, clock: TurnedClock) -> Bench:
    """A living host, which knows the trigger of these tests."""
    return Bench(store, clock, await join(store))


async def died(store: Store, clock: TurnedClock, bench: Bench, options: Options | None = None) -> int:
    """An operation that a host has claimed which then died."""
    new = operation(options=options)
    await store.operations.submit([new])
    victim = await join(store)
    await victim.take()
    clock.turn(13)
    await bench.member.renew(judge=True)
    return new.id


async def test_a_takeover_charges_a_recovery(store: Store, clock: TurnedClock, bench: Bench) -> None:
    """Whether it had begun nobody can say: ready again, one death charged, and a line in its log."""
    identifier = await died(store, clock, bench)
    assert await bench.keeping.take_over() == 1
    assert (await places(store))["ready"] == [identifier]
    assert await query(store, "select errors, deaths from opwright.ready") == [(0, 1)]
    (note,) = await store.operations.notes(identifier)
    assert (note.kind, note.text) == (NoteKind.DEATH, "its host died")
    assert (await bench.member.take()).attempt == 2


async def test_the_death_of_a_host_costs_a_recovery_never_a_retry(store: Store, clock: TurnedClock, bench: Bench) -> None:
    """What a renewal had reported as begun, and what none had: whether it began nobody can say, and no trigger raised."""
    new = [operation(options=Options(retries=0)) for _ in range(2)]
    await store.operations.submit(new)
    victim = await join(store)
    begun, _ = await victim.claim(2)
    await store.queue.mark([Marked(begun.operation, begun.token, 42, clock.now(), clock.now())])
    clock.turn(13)
    await bench.member.renew(judge=True)
    assert await bench.keeping.take_over() == 2
    assert await query(store, "select errors, deaths from opwright.ready") == [(0, 1), (0, 1)]


async def test_the_death_that_uses_up_the_budget_fails_it(store: Store, clock: TurnedClock, bench: Bench) -> None:
    """An operation that kills its hosts is not passed on for ever."""
    identifier = await died(store, clock, bench, Options(recoveries=1))
    await bench.keeping.take_over()
    second = await join(store)
    await second.take()
    clock.turn(13)
    await bench.member.renew(judge=True)
    assert await bench.keeping.take_over() == 1
    found = await store.operations.get(identifier)
    assert found.status is Status.FAILED
    assert "its worker died 2 times" in (found.error or "")
    assert "its host died" in (found.error or "")


async def test_what_was_to_be_cancelled_is_cancelled(store: Store, clock: TurnedClock, bench: Bench) -> None:
    """Its host died before it could obey: nobody runs it again."""
    identifier = await died(store, clock, bench)
    assert await store.operations.cancel(identifier, "enough") == "asked"
    assert await bench.keeping.take_over() == 1
    assert await status(store, identifier) is Status.CANCELLED
    assert await query(store, "select * from opwright.cancel_requests") == []


async def test_the_living_keep_what_they_hold(store: Store, clock: TurnedClock, bench: Bench) -> None:
    """Only hosts that were judged dead lose anything, however old their leases are."""
    await submit(store, 1)
    other = await join(store)
    await other.take()
    clock.turn(3600)
    assert await bench.keeping.take_over() == 0
    assert len((await places(store))["claimed"]) == 1


async def test_more_than_a_batch_is_taken_over_in_one_step(
    store: Store, clock: TurnedClock, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much the dead host held."""
    monkeypatch.setattr(housekeeping_module, "BATCH", 4)
    await submit(store, 11)
    victim = await join(store)
    assert len(await victim.claim(11)) == 11
    clock.turn(13)
    await bench.member.renew(judge=True)
    assert await bench.keeping.take_over() == 11
    assert len((await places(store))["ready"]) == 11


async def test_takeovers_by_two_hosts_charge_once(store: Store, clock: TurnedClock, bench: Bench) -> None:
    """Every write is fenced: the second finds nothing."""
    await died(store, clock, bench)
    other = Bench(store, clock, await join(store))
    assert [await bench.keeping.take_over(), await other.keeping.take_over()] == [1, 0]
    assert await query(store, "select deaths from opwright.ready") == [(1,)]


async def test_a_step_takes_over_only_when_told_of_the_dead(store: Store, clock: TurnedClock, bench: Bench) -> None:
    """While all is well a step costs no statement; once told, it does its work."""
    identifier = await died(store, clock, bench)
    bench.leftover = False
    assert await bench.keeping.run_once() == PERIOD
    assert await status(store, identifier) is Status.PROCESSING
    bench.keeping.dead_hosts = True
    await bench.keeping.run_once()
    assert await status(store, identifier) is Status.PENDING


# ------------------------------------------------------------------------------------------- unknown triggers


async def strange(store: Store, wait: int | None = None) -> int:
    """An operation whose trigger the host of these tests does not know."""
    new = operation("strange", wait=wait)
    await store.operations.submit([new])
    return new.id


async def test_a_trigger_that_nobody_knows_fails_after_a_while(store: Store, clock: TurnedClock, bench: Bench) -> None:
    """Not before ``unknown_after``: a host that knows it may be starting. Then with an error that names the trigger."""
    identifier, known = await strange(store), (await submit(store))[0]
    await bench.keeping.run_once()
    clock.turn(59)
    await bench.keeping.run_once()
    assert await status(store, identifier) is Status.PENDING
    clock.turn(2)
    await bench.keeping.run_once()
    found = await store.operations.get(identifier)
    assert found.status is Status.FAILED
    assert "UnknownTrigger" in (found.error or "")
    assert "'strange'" in (found.error or "")
    assert await status(store, known) is Status.PENDING


async def test_its_key_is_free_again(store: Store, clock: TurnedClock, bench: Bench) -> None:
    """An operation that failed so holds nothing any more."""
    new = operation("strange", key="k")
    await store.operations.submit_keyed(new, OnConflict.FAIL)
    await bench.keeping.run_once()
    clock.turn(61)
    await bench.keeping.run_once()
    assert await status(store, new.id) is Status.FAILED
    assert await query(store, "select * from opwright.operation_keys") == []


async def test_a_living_host_that_knows_it_saves_it(store: Store, clock: TurnedClock, bench: Bench) -> None:
    """Another program of the same database runs it, perhaps later: patience starts afresh when that one has gone."""
    identifier = await strange(store)
    await bench.keeping.run_once()
    clock.turn(50)
    knows = await store.hosts.register(name="knows", pid=1, version="1", lease=1000.0, queues=None, triggers=["strange"])
    await bench.keeping.run_once()
    clock.turn(100)
    await bench.keeping.run_once()
    assert await status(store, identifier) is Status.PENDING
    await store.hosts.stop(knows)
    await bench.keeping.run_once()
    clock.turn(59)
    await bench.keeping.run_once()
    assert await status(store, identifier) is Status.PENDING
    clock.turn(2)
    await bench.keeping.run_once()
    assert await status(store, identifier) is Status.FAILED


async def test_a_dead_host_that_knew_it_saves_nothing(store: Store, clock: TurnedClock, bench: Bench) -> None:
    """Only the living count."""
    await store.hosts.register(name="knew", pid=1, version="1", lease=5.0, queues=None, triggers=["strange"])
    identifier = await strange(store)
    clock.turn(13)
    await bench.member.renew(judge=True)
    await bench.keeping.run_once()
    clock.turn(61)
    await bench.keeping.run_once()
    assert await status(store, identifier) is Status.FAILED


async def test_the_whole_queue_is_looked_at_in_windows(
    store: Store, clock: TurnedClock, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind many known ones, in several queues and priorities: each is found in the end, each step reads one window."""
    monkeypatch.setattr(housekeeping_module, "BATCH", 5)
    lost = []
    for queue, priority in (("a", 0), ("b", 100), ("b", -100), ("c", 0)):
        await store.operations.submit([operation(queue=queue, priority=priority) for _ in range(7)])
        new = operation("strange", queue=queue, priority=priority)
        await store.operations.submit([new])
        lost.append(new.id)
    for _ in range(8):
        await bench.keeping.run_once()
    clock.turn(61)
    for _ in range(16):
        await bench.keeping.run_once()
    assert [await status(store, identifier) for identifier in lost] == [Status.FAILED] * 4
    assert len((await places(store))["ready"]) == 28


async def test_what_is_not_due_yet_is_left_alone(store: Store, clock: TurnedClock, bench: Bench) -> None:
    """A delayed operation has time: its program may be deployed before it is due."""
    identifier = await strange(store, wait=10**12)
    await bench.keeping.run_once()
    clock.turn(100)
    await bench.keeping.run_once()
    assert await status(store, identifier) is Status.PENDING


async def test_nothing_is_looked_at_without_a_leftover(store: Store, clock: TurnedClock, bench: Bench) -> None:
    """The scheduler saw nothing that it could not claim: no statement is spent."""
    identifier = await strange(store)
    bench.leftover = False
    await bench.keeping.run_once()
    clock.turn(61)
    await bench.keeping.run_once()
    assert await status(store, identifier) is Status.PENDING


# ---------------------------------------------------------------------------------------------------- forgetting


async def test_old_hosts_and_old_requests_are_forgotten(store: Store, clock: TurnedClock, bench: Bench) -> None:
    """Hosts that ended long ago and hold nothing, requests to cancel what has ended by itself; nothing younger."""
    (identifier,) = await submit(store)
    claim = await bench.member.take()
    await store.operations.cancel(identifier, "too late")
    await bench.member.end(claim)
    gone = await join(store)
    await store.hosts.stop(gone.registration)
    clock.turn(FORGET_AGE - 10)
    recent = await join(store)
    await store.hosts.stop(recent.registration)
    clock.turn(FORGET_PERIOD)
    await bench.keeping.run_once()
    assert {host.id for host in await store.hosts.all()} == {bench.member.id, recent.id}
    assert await query(store, "select * from opwright.cancel_requests") == []


async def test_a_dead_host_is_remembered_while_it_holds_claims(store: Store, clock: TurnedClock, bench: Bench) -> None:
    """Its claims name it until they are taken over."""
    await submit(store)
    victim = await join(store)
    await victim.take()
    clock.turn(13)
    await bench.member.renew(judge=True)
    clock.turn(FORGET_AGE * 2)
    await bench.keeping.forget()
    assert victim.id in {host.id for host in await store.hosts.all()}
    await bench.keeping.take_over()
    await bench.keeping.forget()
    assert victim.id not in {host.id for host in await store.hosts.all()}


@pytest.mark.fault("F8")
async def test_no_claim_stays_whose_record_was_deleted(store: Store, clock: TurnedClock, bench: Bench) -> None:
    """Not after another attempt of it was claimed, of which its host is not told, nor in the name of a dead host; nor a slot."""
    await submit(store)
    claim = await bench.member.take()
    await query(store, f"insert into opwright.slots (lane, number, operation) values ('a', 1, {claim.operation})")
    await query(store, f"delete from opwright.operations where id = {claim.operation}")
    await bench.member.end(claim, retry(claim, 0))
    await store.queue.promote()
    assert await bench.member.claim() == []
    await submit(store, 2)
    victim, kept = await join(store), await bench.member.take()
    orphan = await victim.take()
    await query(store, f"delete from opwright.operations where id = {orphan.operation}")
    clock.turn(13)
    await bench.member.renew(judge=True)
    await bench.keeping.forget()
    assert (await places(store))["claimed"] == [kept.operation]
    assert await query(store, "select operation from opwright.slots where until is null") == []
    clock.turn(FORGET_AGE * 2)
    await bench.keeping.forget()
    assert victim.id not in {host.id for host in await store.hosts.all()}


async def test_forgetting_has_a_period_of_its_own(store: Store, clock: TurnedClock, bench: Bench) -> None:
    """Not at every step."""
    gone = await join(store)
    await store.hosts.stop(gone.registration)
    clock.turn(FORGET_AGE * 2)
    await bench.keeping.run_once()
    assert gone.id not in {host.id for host in await store.hosts.all()}
    again = await join(store)
    await store.hosts.stop(again.registration)
    await query(store, f"update opwright.hosts set renewed = 0 where id = {again.id}")
    await bench.keeping.run_once()
    assert again.id in {host.id for host in await store.hosts.all()}
    clock.turn(FORGET_PERIOD)
    await bench.keeping.run_once()
    assert again.id not in {host.id for host in await store.hosts.all()}

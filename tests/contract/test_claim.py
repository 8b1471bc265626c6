"""Claiming: each operation goes to one living host that can run it, never more than asked for."""

import asyncio

import pytest

from opwright.clock import TurnedClock
from opwright.model.host import Registration
from opwright.model.operation import OnConflict
from opwright.model.options import Backoff, Options
from opwright.model.status import Status
from opwright.store.store import Store
from tests.contract.kit import (
    HAND_BACK,
    Member,
    OpenStore,
    ids,
    is_postgresql,
    join,
    operation,
    places,
    query,
    status,
    submit,
)


async def drain(member: Member, bite: int) -> list[int]:
    """Claim until nothing is left; what this host got."""
    got: list[int] = []
    while claims := await member.claim(bite):
        got += ids(claims)
    return got


async def test_concurrent_claims_never_share_an_operation(open_store: OpenStore) -> None:
    """Four processes claim at once from thousands of rows; each row goes to exactly one of them."""
    members = [await join(await open_store()) for _ in range(4)]
    sent = await submit(members[0].store, 4000)
    shares = await asyncio.gather(*(drain(member, 37) for member in members for _ in range(2)))
    assert sorted(each for share in shares for each in share) == sent
    held = await query(members[0].store, "select operation from opwright.claimed order by operation")
    assert [row[0] for row in held] == sent


async def test_a_large_claim_brings_every_operation_as_it_was_sent(store: Store, host: Member) -> None:
    """Hundreds at once, in order, each with its own inputs: quotes, backslashes and signs of any script."""
    texts = [rf'["{number} \"quoted\" \\ ångström 猫"]' for number in range(500)]
    sent = [operation(inputs=text) for text in texts]
    await store.operations.submit(sent)
    claims = await host.claim(500)
    assert [(claim.operation, claim.inputs) for claim in claims] == [(one.id, one.inputs) for one in sent]


async def test_a_claim_is_visible_to_every_process(store: Store, host: Member, other: Store) -> None:
    """What one host holds, the others read as PROCESSING and cannot take."""
    (one,) = await submit(store)
    await host.take()
    assert await status(other, one) is Status.PROCESSING
    assert await (await join(other)).claim() == []


@pytest.mark.parametrize("limit", [0, 1, 7, 50])
async def test_a_claim_takes_no_more_than_its_limit(store: Store, host: Member, limit: int) -> None:
    """The limit is what the host has room for, and exactly that much is taken."""
    await submit(store, 60)
    assert len(await host.claim(limit)) == limit
    assert len((await places(store))["claimed"]) == limit


async def test_a_claim_keeps_its_limit_with_misleading_statistics(store: Store, host: Member) -> None:
    """A planner that believes the table tiny must not overrun the limit by running a sub-select twice (F07)."""
    if is_postgresql(store):
        await query(store, "alter table opwright.ready set (autovacuum_enabled = off)")
    await submit(store)
    await query(store, "analyze opwright.ready" if is_postgresql(store) else "analyze")
    await submit(store, 20_000)
    assert [len(await host.claim(10)) for _ in range(3)] == [10, 10, 10]
    assert len((await places(store))["claimed"]) == 30


async def test_a_claim_takes_only_triggers_the_host_knows(store: Store, host: Member) -> None:
    """An operation waits for a host that has its trigger, and blocks nobody else meanwhile."""
    unknown = [operation("unknown", priority=9) for _ in range(5)]
    known = operation("known")
    await store.operations.submit([*unknown, known])
    assert ids(await host.claim(triggers=["known", "another"])) == [known.id]
    assert sorted((await places(store))["ready"]) == [each.id for each in unknown]


async def test_a_host_without_triggers_gets_nothing(store: Store, host: Member) -> None:
    """No trigger, no work."""
    await submit(store)
    assert await host.claim(triggers=[]) == []


async def test_a_claim_takes_only_from_the_named_queue(store: Store, host: Member) -> None:
    """Queues are apart, whatever the priority of what stands in the other."""
    mail = operation(queue="mail")
    await store.operations.submit([operation(priority=100), mail, operation(queue="mai")])
    assert ids(await host.claim(queue="mail")) == [mail.id]


async def test_peek_names_the_queues_with_something_ready(store: Store, host: Member) -> None:
    """A look names each such queue once, and the next due time."""
    assert (await store.queue.peek()).queues == ()
    new = [operation(queue=queue) for queue in ("b", "a", "b", "Ä")]
    await store.operations.submit([*new, operation(queue="delayed", wait=5)])
    peek = await store.queue.peek()
    assert set(peek.queues) == {"a", "b", "Ä"}
    assert len(peek.queues) == 3
    assert peek.due == peek.now + 5


async def test_a_dead_host_gets_nothing(store: Store, host: Member, rival: Member, clock: TurnedClock) -> None:
    """Once judged, a host claims no more, so what it holds can only shrink."""
    await submit(store)
    clock.turn(13)
    await rival.renew()
    await rival.renew(judge=True)
    assert await host.claim() == []


async def test_a_stopped_host_gets_nothing(store: Store, host: Member) -> None:
    """After its good-bye a host claims no more."""
    await submit(store)
    await store.hosts.stop(host.registration)
    assert await host.claim() == []


async def test_a_host_nobody_knows_gets_nothing(store: Store) -> None:
    """Only a registered host may claim."""
    await submit(store)
    assert await Member(store, Registration(4711, "nobody", 0)).claim() == []


async def test_a_claim_carries_what_the_attempt_needs(store: Store, host: Member) -> None:
    """Trigger, inputs, queue, rank, budgets and key come with the claim; nothing is looked up again."""
    options = Options(retries=2, recoveries=0, timeout=1.5, backoff=Backoff(first=1))
    new = operation("work", "a key", priority=3, inputs='{"x":1}', options=options)
    await store.operations.submit([operation(priority=-1)])
    await store.operations.submit_keyed(new, OnConflict.FAIL)
    claim = await host.take()
    assert (claim.operation, claim.trigger, claim.inputs) == (new.id, "work", '{"x":1}')
    assert (claim.queue, claim.rank, claim.options, claim.key) == ("default", -3, options, "a key")
    assert (claim.errors, claim.deaths, claim.attempt, claim.begun) == (0, 0, 1, None)


async def test_an_operation_without_options_has_the_default_budgets(store: Store, host: Member) -> None:
    """The row keeps nothing where everything is at its default."""
    await submit(store)
    claim = await host.take()
    assert (claim.options, claim.key) == (Options(), None)


async def test_claims_of_lists_what_a_host_holds(store: Store, host: Member, rival: Member) -> None:
    """A host whose claim was committed but not answered finds it by its own name (F04)."""
    await submit(store, 4)
    mine, theirs = await host.claim(2), await rival.claim(1)
    assert sorted(await store.queue.claims_of(host.id)) == sorted((c.operation, c.token) for c in mine)
    assert await store.queue.claims_of(rival.id) == [(c.operation, c.token) for c in theirs]


async def test_an_unanswered_claim_is_handed_back_by_its_host(store: Store, host: Member) -> None:
    """What was claimed without anybody hearing of it is found, handed back and run once (F04)."""
    await submit(store)
    lost = await host.take()  # the answer is lost; only the rows tell
    ((found, token),) = await store.queue.claims_of(host.id)
    assert (found, token) == (lost.operation, lost.token)
    assert await host.end(lost, HAND_BACK)
    assert (await host.take()).operation == found


async def test_a_host_gives_back_only_what_is_its_own(store: Store, host: Member, rival: Member) -> None:
    """What stands in its name is ready again, uncharged; what another host holds is not touched."""
    await submit(store, 4)
    mine, theirs = await host.claim(2), await rival.claim(2)
    await store.queue.give_back(host.id, [(claim.operation, claim.token) for claim in (*mine, *theirs)])
    assert sorted((await places(store))["claimed"]) == ids(theirs)
    again = await rival.claim()
    assert [(claim.operation, claim.attempt, claim.rank) for claim in again] == [(each, 1, 0) for each in ids(mine)]


async def test_what_was_claimed_anew_is_not_given_back_under_the_old_token(store: Store, host: Member) -> None:
    """Giving back is fenced like every other write after a claim."""
    await submit(store)
    old = await host.take()
    await host.end(old, HAND_BACK)
    new = await host.take()
    await store.queue.give_back(host.id, [(old.operation, old.token)])
    assert await store.queue.claims_of(host.id) == [(new.operation, new.token)]


async def test_claims_ahead_are_pending_for_people(store: Store, host: Member) -> None:
    """What a host took early but has not begun still reads PENDING."""
    (one,) = await submit(store)
    (claim,) = await host.claim(1, ahead=True)
    assert await status(store, one) is Status.PENDING
    assert await host.end(claim)
    assert await status(store, one) is Status.SUCCEEDED


async def test_what_is_more_urgent_overtakes(store: Store, host: Member, rival: Member) -> None:
    """What comes later with a higher priority is claimed before what stands ready."""
    await submit(store, 3)
    await host.take()
    urgent = operation(priority=1)
    await store.operations.submit([urgent])
    assert (await rival.take()).operation == urgent.id

"""A submit that claims for a host: in one statement, and only where a claim would find it."""

import asyncpg
import pytest

from opwright.errors import DuplicateRow
from opwright.store.store import Store
from tests.contract.kit import QUEUE, Member, join, operation, places, promptly, query


async def test_it_is_claimed_for_its_host_and_nobody_else(store: Store, host: Member) -> None:
    """With everything that a submit keeps of it."""
    new = operation(inputs="[1]", priority=3)
    claim = await host.begin(new)
    assert claim is not None
    assert {name: found for name, found in (await places(store)).items() if found} == {"claimed": [new.id]}
    assert await query(store, "select operation, token, host, errors, deaths from opwright.claimed") == [
        (new.id, claim.token, host.id, 0, 0)
    ]
    kept = await store.operations.get(new.id)
    assert (kept.trigger, kept.queue, kept.priority, kept.inputs) == (new.trigger, QUEUE, 3, "[1]")


@pytest.mark.parametrize("state", ["gone", "stopped"])
async def test_for_a_host_that_is_not_alive_it_is_ready(store: Store, host: Member, state: str) -> None:
    """Nobody would know of the claim."""
    await store.hosts.stop(host.registration)
    if state == "gone":
        await query(store, "delete from opwright.hosts")
    new = operation(priority=3)
    assert await host.begin(new) is None
    assert await query(store, "select queue, rank, operation, errors, deaths from opwright.ready") == [(QUEUE, -3, new.id, 0, 0)]
    assert (await places(store))["claimed"] == []


async def test_in_a_paused_queue_it_is_ready(store: Store, host: Member) -> None:
    """As for a claim."""
    await store.queues.pause(QUEUE)
    new = operation()
    assert await host.begin(new) is None
    assert (await places(store))["ready"] == [new.id]


async def test_sent_twice_it_is_refused_as_a_duplicate(store: Store, host: Member) -> None:
    """Which tells whoever lost the first answer that it has landed."""
    new = operation()
    assert await host.begin(new) is not None
    with pytest.raises(DuplicateRow):
        await host.begin(new)
    assert (await places(store))["claimed"] == [new.id]


async def test_it_does_not_wait_for_the_gate(shared: Store) -> None:
    """Whoever changes the gate keeps claims waiting, but no submit: what comes meanwhile is ready."""
    host = await join(shared)
    keeper = await asyncpg.connect(shared.engine.url)
    try:
        await keeper.execute(f"select pg_advisory_lock({shared.engine.values({})['gate']})")
        new = operation()
        assert await promptly(host.begin(new)) is None
        assert (await places(shared))["ready"] == [new.id]
    finally:
        await keeper.close()

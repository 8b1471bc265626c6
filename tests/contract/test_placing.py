"""Placing from several hosts at once: they count down the same followers, and none waits for another in a circle."""

import asyncio

from opwright.model.operation import NewOperation
from opwright.store.store import Store
from tests.contract.kit import SUCCESS, Member, operation, promptly, query, submit

PARTS, ROUNDS = 40, 10


def following(predecessor: int) -> NewOperation:
    """An operation that follows another."""
    new = operation()
    new.after, new.held = (predecessor,), True
    return new


async def test_hosts_that_tell_of_the_same_ends_do_not_wait_for_each_other_in_a_circle(
    store: Store, other: Store, host: Member
) -> None:
    """Half of the followers have been looked at, half are new; whoever looks first goes on, and all are let go once."""
    for _ in range(ROUNDS):
        predecessors = await submit(store, PARTS)
        old, new = predecessors[: PARTS // 2], predecessors[PARTS // 2 :]
        await store.operations.submit([following(one) for one in old])
        assert await store.queue.follow([]) == []
        await host.settle(*((claim, SUCCESS) for claim in await host.claim()))
        await store.operations.submit([following(one) for one in new])
        queues = await promptly(asyncio.gather(*(each.queue.follow(predecessors) for each in (store, other))))
        assert sum(map(len, queues)) == PARTS
        await host.settle(*((claim, SUCCESS) for claim in await host.claim()))
    assert await query(store, "select count(*) from opwright.following") == [(0,)]

"""Queues by name: a pause holds on every host and outlives them; what a queue holds can be seen."""

import msgspec

from opwright.clock import SECOND, TurnedClock
from opwright.model.queue import QueueStanding
from opwright.store.store import Store
from tests.contract.kit import Member, operation, places, submit


async def test_nothing_of_a_paused_queue_is_claimed(store: Store, other: Store, host: Member, rival: Member) -> None:
    """By no host; other queues go on; what was claimed before can end."""
    await store.operations.submit([operation(queue="a"), operation(queue="a"), operation(queue="b")])
    (before,) = await host.claim(1, queue="a")
    await other.queues.pause("a")
    assert await host.claim(queue="a") == []
    assert await rival.claim(queue="a") == []
    assert len(await host.claim(queue="b")) == 1
    assert await host.end(before)
    await store.queues.resume("a")
    assert len(await rival.claim(queue="a")) == 1


async def test_a_look_tells_which_queues_are_paused(store: Store) -> None:
    """So that no scheduler tries again and again."""
    await store.operations.submit([operation(queue="a"), operation(queue="b")])
    await store.queues.pause("a")
    peek = await store.queue.peek()
    assert (peek.queues, peek.paused) == (("b",), ("a",))


async def test_a_pause_is_kept_and_a_second_one_changes_nothing(store: Store, other: Store, clock: TurnedClock) -> None:
    """It tells since when, and is there for a queue that nobody has used yet."""
    await store.queues.pause("new")
    since = clock.now()
    clock.turn(60)
    await other.queues.pause("new")
    assert await other.queues.all() == [QueueStanding("new", 0, 0, 0, 0, 0, since)]
    await other.queues.resume("new")
    assert await store.queues.all() == []


async def test_resuming_what_was_not_paused_is_no_error(store: Store) -> None:
    """And makes nothing."""
    await store.queues.resume("never")
    assert await store.queues.all() == []


async def test_what_a_queue_holds_is_counted(store: Store, host: Member) -> None:
    """Ready, due later, over a limit, behind others, running."""
    (first,) = await submit(store)
    await host.take()
    await submit(store, 2)
    limited = msgspec.structs.replace(operation(), lane="l", capacity=1, held=True)
    following = msgspec.structs.replace(operation(), after=(first,), held=True)
    await store.operations.submit([operation(wait=60 * SECOND), limited, following, operation(queue="b")])
    assert await store.queues.all() == [
        QueueStanding("b", 1, 0, 0, 0, 0, None),
        QueueStanding("default", 2, 1, 1, 1, 1, None),
    ]
    assert len((await places(store))["ready"]) == 3

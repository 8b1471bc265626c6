"""What a command leaves for those who invalidate, in other processes."""

from opwright.clock import TurnedClock
from tests.log.kit import Discount, Shop, stepped


async def test_items_arrive_as_they_were_put_in(here: Shop, there: Shop) -> None:
    async with here.ops, there.ops:
        await here.read()
        await here.ops.caught_up(await there.sell("cup", 5))
    (entry,) = here.seen
    assert entry.items.keyless_get(Discount) == Discount(5)
    assert entry == there.seen[0]


async def test_items_live_until_the_last_process_has_invalidated(here: Shop, there: Shop, clock: TurnedClock) -> None:
    """Where an invalidation fails, the next try finds them as the first one did; the process that called has long been done."""
    here.broken = {"pot"}
    async with stepped(here) as reader, there.ops:
        await there.sell("pot", 21)
        await reader.run_once()
        assert reader.status().retrying == 1
        here.broken.clear()
        clock.turn(0.1)
        await reader.run_once()
        assert reader.status().retrying == 0
    assert [entry.items.keyless_get(Discount) for entry in here.seen] == [Discount(21)] * 2

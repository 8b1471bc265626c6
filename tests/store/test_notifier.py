"""Notifications: few, soon, and none forgotten."""

import asyncio
from itertools import pairwise

from opwright.errors import StoreUnavailable
from opwright.store.notifier import Notifier


class Listener:
    """Counts what arrives; may be out of reach."""

    def __init__(self) -> None:
        self.heard = 0
        self.came = asyncio.Event()

    async def hear(self) -> None:
        self.heard += 1
        self.came.set()

    async def refuse(self) -> None:
        await self.hear()
        raise StoreUnavailable("away")


async def test_many_in_a_row_become_one_and_the_first_goes_at_once() -> None:
    """Not one for each submit; what was due when everything closes has gone."""
    listener = Listener()
    notifier = Notifier(listener.hear, rest=60)
    for _ in range(100):
        notifier.send()
        await listener.came.wait()
        await asyncio.sleep(0)
    assert listener.heard == 1
    await notifier.close()
    assert listener.heard == 2


async def test_after_a_rest_the_next_one_goes() -> None:
    """Without anybody asking again."""
    listener = Listener()
    notifier = Notifier(listener.hear, rest=0.001)
    notifier.send()
    await listener.came.wait()
    notifier.send()
    listener.came.clear()
    await listener.came.wait()
    assert listener.heard == 2
    await notifier.close()


async def test_as_long_as_more_is_due_the_rests_grow() -> None:
    """Who has something to tell all the time tells it less often, up to a limit; after silence as soon as ever."""
    listener, heard_at = Listener(), list[float]()

    async def hear() -> None:
        heard_at.append(asyncio.get_running_loop().time())
        notifier.send()
        await listener.hear()

    notifier = Notifier(hear, rest=0.002, longest=0.008)
    notifier.send()
    while len(heard_at) < 6:
        listener.came.clear()
        await listener.came.wait()
    pauses = [later - earlier for earlier, later in pairwise(heard_at)]
    assert all(pause >= 0.9 * least for pause, least in zip(pauses, (0.002, 0.004, 0.008, 0.008, 0.008), strict=False))
    await notifier.close()


async def test_what_became_due_while_one_was_on_its_way_has_gone_when_it_is_closed() -> None:
    """The one on its way may have been heard before the later submit was there to be seen."""
    listener, go = Listener(), asyncio.Event()

    async def slowly() -> None:
        await listener.hear()
        await go.wait()

    notifier = Notifier(slowly, rest=60)
    notifier.send()
    await listener.came.wait()
    notifier.send()
    closing = asyncio.create_task(notifier.close())
    await asyncio.sleep(0)
    go.set()
    await closing
    assert listener.heard == 2


async def test_one_that_was_not_sent_stops_none_after_it() -> None:
    """The database may be away for a moment."""
    listener = Listener()
    notifier = Notifier(listener.refuse, rest=0)
    for number in range(1, 4):
        notifier.send()
        await listener.came.wait()
        listener.came.clear()
        assert listener.heard == number
    await notifier.close()


async def test_whoever_carries_one_himself_makes_the_others_rest() -> None:
    """After a rest the next may be carried again; while one is on its way, or has just gone, none."""
    listener = Listener()
    notifier = Notifier(listener.hear, rest=60)
    assert notifier.carry()
    assert not notifier.carry()
    notifier.send()
    await asyncio.sleep(0)
    assert listener.heard == 0
    await notifier.close()
    assert listener.heard == 1
    assert notifier.carry()
    await notifier.close()

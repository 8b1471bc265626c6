"""What an object submits while it gets an operation back is written with the end of the hand-back: all of it, or nothing."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from opwright import Host, Opwright, Status
from opwright.model.submitter import hand_back_trigger
from opwright.operations.handle import Handle
from opwright.operations.submitter import HandedBack
from opwright.operations.trigger import Trigger
from tests.contract.kit import query
from tests.operations.kit import eventually

ENOUGH = 10.0  # seconds
SOME = 30  # submits before the end is written, and as many after it


class Handling:
    """An object whose work is nothing; a test adds what it does when it gets an operation back."""

    child: Trigger[[int], None]

    def handle(self, number: int) -> None: ...


def child_of(ops: Opwright) -> Trigger[[int], None]:
    """What the objects submit; nobody runs it, for the hosts of these tests serve one queue only."""

    async def child(number: int) -> None: ...

    return ops.operation(queue="elsewhere")(child)


def host(ops: Opwright) -> Host:
    return ops.host(pool="inline", slots=10, queues=("default",))


async def children(ops: Opwright) -> int:
    """How many of them were committed."""
    ((count,),) = await query(await ops.client.store(), "select count(*) from opwright.operations where trigger = 'child'")
    return int(count)


async def hand_back_of(handle: Handle[Any]) -> Handle[Any]:
    """The operation by which another one is given back."""
    (found,) = [one for one in await handle.children() if (await one.get()).trigger == hand_back_trigger("object")]
    return found


async def ended(handle: Handle[Any]) -> Handle[Any]:
    """The hand-back of an operation, when it has succeeded."""
    await handle.result(ENOUGH)
    back = await hand_back_of(handle)
    await back.result(ENOUGH)
    return back


async def test_no_submit_is_lost_while_the_end_is_being_written(ops: Opwright) -> None:
    """A task of the object goes on submitting before, during and after it: each handle is of an operation that is there."""
    got: list[Handle[None]] = []
    tasks: list[asyncio.Task[None]] = []
    enough, stop = asyncio.Event(), asyncio.Event()

    class Busy(Handling):
        async def done(self, handed: HandedBack) -> None:
            tasks.append(asyncio.create_task(self.go_on()))
            await enough.wait()

        async def go_on(self) -> None:
            while not stop.is_set():
                got.append(await self.child.submit(len(got)))
                if len(got) == SOME:
                    enough.set()
                await asyncio.sleep(0)

    busy = Busy()
    busy.child = child_of(ops)
    work = ops.submitter("object", busy)
    async with host(ops):
        await ended(await work.submit(1))
        before = len(got)

        async def some_more() -> bool:
            return len(got) >= before + SOME

        await eventually(some_more, "it goes on submitting after the end")
        stop.set()
        await tasks[0]
    assert await children(ops) == len({one.id for one in got}) == len(got)


async def test_a_method_that_returns_an_awaitable_is_awaited(ops: Opwright) -> None:
    """As a decorator makes it, that is no coroutine function itself; its submits are written with the end too."""
    ran: list[int] = []

    class Wrapped(Handling):
        def done(self, handed: HandedBack) -> Awaitable[None]:
            return self.really(handed)

        async def really(self, handed: HandedBack) -> None:
            await self.child.submit(1)
            assert await children(ops) == 0
            ran.append(handed.id)

    wrapped = Wrapped()
    wrapped.child = child_of(ops)
    work = ops.submitter("object", wrapped)
    async with host(ops):
        submitted = await work.submit(1)
        back = await ended(submitted)
        assert (await back.status(), ran) == (Status.SUCCEEDED, [submitted.id])
    assert await children(ops) == 1


@pytest.mark.parametrize("how", ["one by one", "many"])
async def test_what_has_no_key_is_kept_for_the_end(ops: Opwright, how: str) -> None:
    """It is not there while the object is still at work, and it is there when the hand-back has ended."""
    seen: list[int] = []

    class Careful(Handling):
        async def done(self, handed: HandedBack) -> None:
            if how == "many":
                await self.child.submit_many([(1,), (2,)])
            else:
                await self.child.submit(1)
                await self.child.submit(2)
            seen.append(await children(ops))

    careful = Careful()
    careful.child = child_of(ops)
    work = ops.submitter("object", careful)
    async with host(ops):
        await ended(await work.submit(1))
    assert (seen, await children(ops)) == ([0], 2)


async def test_what_has_a_key_is_written_at_once(ops: Opwright) -> None:
    """Who holds the key must be known at the submit, and a hand-back that is done again meets it."""
    seen: list[int] = []

    class Keyed(Handling):
        async def done(self, handed: HandedBack) -> None:
            await self.child.options(key="next").submit(1)
            seen.append(await children(ops))

    keyed = Keyed()
    keyed.child = child_of(ops)
    work = ops.submitter("object", keyed)
    async with host(ops):
        await ended(await work.submit(1))
    assert (seen, await children(ops)) == ([1], 1)


async def test_an_error_in_done_writes_nothing_of_its_submits(ops: Opwright) -> None:
    """Only what had a key stands; the hand-back is to be tried again, and its log says why."""

    class Clumsy(Handling):
        async def done(self, handed: HandedBack) -> None:
            await self.child.submit(1)
            await self.child.submit_many([(2,), (3,)])
            await self.child.options(key="next").submit(4)
            raise RuntimeError("clumsy")

    clumsy = Clumsy()
    clumsy.child = child_of(ops)
    work = ops.submitter("object", clumsy)
    async with host(ops):
        submitted = await work.submit(1)
        await submitted.result(ENOUGH)
        back = await hand_back_of(submitted)

        async def tried() -> bool:
            lines = f"select text from opwright.operationstatus where operation = {back.id}"
            return any("clumsy" in text for (text,) in await query(await ops.client.store(), lines))

        await eventually(tried, "the hand-back has raised")
    assert (await children(ops), await back.status()) == (1, Status.PENDING)

"""An event may be a broadcast: whoever handles it has an event of his own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from opwright import BroadcastCommand, EventState, InvalidOperation, KeyTaken, OperationScope, Opwright
from opwright.commands.events import Event
from opwright.testing import drain
from tests.commands.durable.kit import Other, entries, insert, users
from tests.contract.kit import query
from tests.operations.kit import rows


@dataclass(frozen=True)
class Ordered(BroadcastCommand):
    number: int


class Office:
    """Two who handle an order; one of them has bad luck for a while."""

    def __init__(self, ops: Opwright, **options: Any) -> None:
        self.runs: list[str] = []
        self.bad_luck = 0
        self.events: list[Event] = []

        @ops.broadcast_handler
        async def pack(order: Ordered, scope: OperationScope) -> None:
            await self.write("pack", scope)

        @ops.broadcast_handler
        async def bill(order: Ordered, scope: OperationScope) -> None:
            await self.write("bill", scope)
            if self.bad_luck:
                self.bad_luck -= 1
                raise ValueError("not today")

        @ops.command
        async def other(command: Other, scope: OperationScope) -> None:
            self.events = scope.events.broadcast(Ordered(7), **options)
            if command.number:
                raise ZeroDivisionError

    async def write(self, name: str, scope: OperationScope) -> None:
        self.runs.append(name)
        await insert(await scope.connection(), name)


async def test_each_handler_has_an_event_of_its_own(ops: Opwright) -> None:
    office = Office(ops)
    await ops.call(Other())
    assert [await event.state() for event in office.events] == [EventState.NEW] * 2
    await drain(ops)
    assert [await event.state() for event in office.events] == [EventState.PROCESSED] * 2
    assert await users(ops) == ["bill", "pack"]
    assert sorted(entry.command for entry in await entries(ops)) == ["bill", "other", "pack"]
    ended = await query(await ops.client.store(), "select trigger, queue from opwright.operations order by trigger")
    assert [tuple(row) for row in ended] == [("bill", "events"), ("pack", "events")]


async def test_of_a_command_that_fails_nobody_hears(ops: Opwright) -> None:
    Office(ops)
    with pytest.raises(ZeroDivisionError):
        await ops.call(Other(1))
    assert await rows(ops) == {}


@pytest.mark.parametrize(("options", "runs"), [({}, 3), ({"retries": 1}, 2)])
async def test_the_one_who_fails_is_tried_again_and_nobody_else(turned: Opwright, options: dict[str, int], runs: int) -> None:
    """As often as the setting says, or who added it."""
    office = Office(turned, **options)
    office.bad_luck = 9
    await turned.call(Other())
    await drain(turned, with_delayed=True, raises=False)
    assert sorted(office.runs) == ["bill"] * runs + ["pack"]
    states = {event.draft.trigger: await event.state() for event in office.events}
    assert states == {"bill": EventState.DISCARDED, "pack": EventState.PROCESSED}


async def test_a_key_is_held_by_each_handler_until_it_is_done(turned: Opwright) -> None:
    """Not only until it is handed over: one whose handler is behind with its work cannot be added again."""
    office = Office(turned, key="order 7")
    office.bad_luck = 1
    await turned.call(Other())
    await drain(turned, raises=False)
    with pytest.raises(KeyTaken):
        await turned.call(Other())
    await drain(turned, with_delayed=True, raises=False)
    assert sorted(office.runs) == ["bill", "bill", "pack"]
    await turned.call(Other())
    await drain(turned)
    assert sorted(office.runs) == ["bill"] * 3 + ["pack"] * 2


async def test_one_that_nobody_handles_is_a_warning(ops: Opwright, caplog: pytest.LogCaptureFixture) -> None:
    """As when it is called."""

    @ops.command
    async def other(command: Other, scope: OperationScope) -> int:
        return len(scope.events.broadcast(Ordered(1)))

    assert await ops.call(Other()) == 0
    assert caplog.messages == ["nobody handles the broadcast Ordered"]


@pytest.mark.parametrize("options", [{"retries": -1}, {"delay": -1}, {"quantize": 1}, {"on_conflict": "skip"}])
async def test_what_does_not_fit_is_refused_with_the_command(ops: Opwright, options: dict[str, Any]) -> None:
    Office(ops, **options)
    with pytest.raises(InvalidOperation, match=next(iter(options))):
        await ops.call(Other())
    assert await rows(ops) == {}


async def test_a_broadcast_and_a_command_are_not_mistaken_for_each_other(ops: Opwright) -> None:
    """The error names the way that it takes."""
    Office(ops)
    refused: list[str] = []

    @ops.command(name="mixed")
    async def mixed(command: Mixed, scope: OperationScope) -> None:
        for add, what in ((scope.events.add, Ordered(1)), (scope.events.broadcast, Other())):
            with pytest.raises(InvalidOperation) as caught:
                add(what)
            refused.append(str(caught.value))

    await ops.call(Mixed())
    assert refused[0] == "Ordered is broadcast: add it by `scope.events.broadcast(…)`"
    assert refused[1].startswith("<command other (Other) of ")
    assert refused[1].endswith("> is no handler of a broadcast: `scope.events.add(…)`")


@dataclass(frozen=True)
class Mixed:
    pass

"""An event may be a broadcast: whoever handles it has an event of his own."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from opwright import BroadcastCommand, EventState, OperationScope, Opwright, UnknownCommand
from opwright.testing import drain
from tests.commands.durable.kit import Other, entries, insert, users
from tests.contract.kit import query
from tests.operations.kit import rows


@dataclass(frozen=True)
class Ordered(BroadcastCommand):
    number: int


class Office:
    """Three who handle an order; one of them has bad luck for a while."""

    def __init__(self, ops: Opwright, **options: object) -> None:
        self.ops = ops
        self.runs: list[str] = []
        self.bad_luck = 0
        self.event: object = None

        @ops.broadcast_handler
        async def pack(order: Ordered, scope: OperationScope) -> None:
            await self.write("pack", scope)

        @ops.broadcast_handler
        async def bill(order: Ordered, scope: OperationScope) -> None:
            await self.write("bill", scope)
            if self.bad_luck:
                self.bad_luck -= 1
                raise ValueError("not today")

        @ops.broadcast_handler
        async def thank(order: Ordered, scope: OperationScope) -> None:
            await self.write("thank", scope)

        @ops.command
        async def other(command: Other, scope: OperationScope) -> str:
            self.event = scope.events.add(Ordered(7), **options)  # type: ignore[arg-type]
            return "done"

    async def write(self, name: str, scope: OperationScope) -> None:
        self.runs.append(name)
        await insert(await scope.connection(), name)


async def test_each_handler_has_an_event_of_its_own(ops: Opwright) -> None:
    office = Office(ops)
    await ops.call(Other())
    assert await office.event.state() == EventState.NEW  # type: ignore[attr-defined]
    await drain(ops)
    assert await office.event.state() == EventState.PROCESSED  # type: ignore[attr-defined]
    assert await users(ops) == ["bill", "pack", "thank"]
    assert sorted(entry.command for entry in await entries(ops)) == ["bill", "other", "pack", "thank"]
    ended = await query(await ops.client.store(), "select trigger, queue from opwright.operations order by trigger")
    assert [tuple(row) for row in ended] == [(name, "events") for name in ("Ordered", "bill", "pack", "thank")]


@pytest.mark.parametrize(("options", "runs"), [({}, 3), ({"retries": 1}, 2)])
async def test_the_one_who_fails_is_tried_again_and_nobody_else(turned: Opwright, options: dict[str, int], runs: int) -> None:
    """As often as the setting says, or who added it."""
    office = Office(turned, **options)
    office.bad_luck = 9
    await turned.call(Other())
    await drain(turned, with_delayed=True, raises=False)
    assert sorted(office.runs) == ["bill"] * runs + ["pack", "thank"]
    assert await users(turned) == ["pack", "thank"]


async def test_handing_it_on_happens_once(turned: Opwright, monkeypatch: pytest.MonkeyPatch) -> None:
    """All events of the handlers and the end of the broadcast's own are one transaction, which is tried again as a whole."""
    office, tries = Office(turned), list[str]()
    bill = turned.registry.get("bill")
    options = bill.options

    def stumble(**given: object) -> object:
        tries.append("bill")
        if len(tries) == 1:
            raise ConnectionResetError("not now")
        return options(**given)  # type: ignore[arg-type]

    monkeypatch.setattr(bill, "options", stumble)
    await turned.call(Other())
    await drain(turned, with_delayed=True, raises=False)
    assert len(tries) == 2
    assert sorted(office.runs) == ["bill", "pack", "thank"]


async def test_a_key_makes_it_one_broadcast(ops: Opwright) -> None:
    office = Office(ops, key="order 7", on_conflict="skip")
    await ops.call(Other())
    await ops.call(Other())
    await drain(ops)
    assert sorted(office.runs) == ["bill", "pack", "thank"]


async def test_one_that_would_reach_nobody_is_refused_with_the_command(ops: Opwright) -> None:
    """Called, it may have no handler; as an event it would wait for one for ever."""

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        scope.events.add(Ordered(1))

    with pytest.raises(UnknownCommand, match="nobody handles the broadcast Ordered, so it would reach nobody"):
        await ops.call(Other())
    assert await rows(ops) == {}

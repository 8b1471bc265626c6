"""A command submitted like any operation."""

from __future__ import annotations

import json
from dataclasses import dataclass

from opwright import CommandContext, OperationScope, Opwright
from opwright.testing import drain


@dataclass(frozen=True)
class Restock:
    article: str
    amount: int = 1


async def test_a_command_can_be_submitted_under_its_own_name(database_url: str) -> None:
    ops, found = Opwright(database_url), list[object]()

    @ops.command
    async def restock(order: Restock, scope: OperationScope, context: CommandContext) -> str:
        found.append((order, context.is_outermost))
        return f"{order.amount} {order.article}"

    @restock.invalidates
    def _(order: Restock) -> None:
        found.append("invalidated")

    async with ops:
        handle = await restock.submit(Restock("tea", 3))
        later = await restock.options(priority=5).submit(Restock("salt"))
        record = await handle.get()
        assert (record.trigger, json.loads(record.inputs)) == ("restock", {"order": {"article": "tea", "amount": 3}})
        await drain(ops)
        assert await handle.result() == "3 tea"
        assert await later.result() == "1 salt"
    assert (Restock("tea", 3), True) in found
    assert found.count("invalidated") == 2

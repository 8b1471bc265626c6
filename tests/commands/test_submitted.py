"""A command submitted like any operation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from opwright import CommandContext, Current, NotInOperation, OperationScope, Opwright, Status, operation
from opwright.testing import drain
from tests.contract.kit import query


@dataclass(frozen=True)
class Restock:
    article: str
    amount: int = 1


@dataclass(frozen=True)
class Shelve:
    article: str


async def said(ops: Opwright) -> list[str]:
    """Every line in the logs of operations."""
    return [text for (text,) in await query(await ops.client.store(), "select text from opwright.operationstatus")]


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


async def test_a_submitted_command_is_the_running_operation(database_url: str) -> None:
    """It has a log, progress and children; one that it calls isolated is none of it."""
    ops, seen = Opwright(database_url), list[int]()

    @ops.operation
    async def count() -> None: ...

    @ops.command
    async def restock(order: Restock, scope: OperationScope) -> None:
        current = operation.current()
        current.log("begun")
        current.progress(0.5)
        child = await count.submit()
        event = scope.events.add(count)
        seen.extend([current.id, child.id, event.draft.id])
        await ops.call(Shelve(order.article), isolated=True)

    @ops.command
    async def shelve(command: Shelve) -> None:
        with pytest.raises(NotInOperation):
            operation.current()

    async with ops:
        handle = await restock.submit(Restock("tea"))
        await drain(ops)
        number, *children = seen
        assert number == handle.id
        assert [(await ops.handle(child).get()).parent for child in children] == [handle.id] * 2
        assert "begun" in await said(ops)


async def test_a_submitted_command_may_wait_and_leaves_nothing_until_it_goes_on(database_url: str) -> None:
    """The attempt ends there, and with it its scope."""
    ops, told = Opwright(database_url), list[bool]()

    @ops.command
    async def restock(order: Restock, scope: OperationScope) -> str:
        scope.on_completion(told.append)
        return str(operation.current().wait())

    async with ops:
        handle = await restock.submit(Restock("tea"))
        await drain(ops)
        assert (told, await handle.status()) == ([False], Status.WAIT)
        await handle.resume("delivered")
        await drain(ops)
        assert (told, await handle.result()) == ([False, True], "delivered")


async def test_what_a_submitted_command_prints_is_captured_where_its_attempt_is(database_url: str) -> None:
    ops = Opwright(database_url)

    @ops.around
    def captured(current: Current) -> Iterator[None]:
        current.capture()
        yield

    @ops.command
    async def restock(order: Restock) -> None:
        print("from the shelf")  # noqa: T201 - that it is captured

    async with ops:
        await restock.submit(Restock("tea"))
        await drain(ops)
        assert "from the shelf" in await said(ops)

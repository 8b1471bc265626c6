"""Which commands were called from within another, with the items that each one left."""

from __future__ import annotations

from typing import Any, ClassVar

from opwright.commands.context import CommandContext
from opwright.commands.operation_items import OperationItems
from opwright.commands.pipeline import CallNext
from opwright.commands.priorities import NESTED_LOGGER
from opwright.model.log_entry import NestedEntry


class NestedOperationLogger:
    """Gives each nested command that invalidates something a bag of its own, and records it when it ends.

    Also when it failed: if the command around it goes on, its part of the effects may be committed.
    """

    priority: ClassVar[float] = NESTED_LOGGER

    async def __call__(self, command: object, context: CommandContext, call_next: CallNext) -> Any:
        handler = context.handler
        if context.is_outermost or handler is None or not handler.has_invalidation:
            return await call_next()
        inputs = handler.encode(command)
        context.operation_items = OperationItems()
        try:
            return await call_next()
        finally:
            items = context.operation_items.snapshot()
            context.operation.nested.append(NestedEntry(handler.name, inputs, items))

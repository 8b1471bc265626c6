"""One run of a command: what it was asked, what came of it, and who called it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opwright.commands.context_items import ContextItems
from opwright.commands.operation_items import OperationItems
from opwright.commands.record import OperationRecord
from opwright.model.log_entry import NestedEntry

if TYPE_CHECKING:
    from opwright.commands.command import Command
    from opwright.commands.commander import Commander


@dataclass(frozen=True)
class Saved:
    """What an attempt of a command begins with."""

    items: dict[type | str, Any]
    operation_items: OperationItems
    nested: tuple[NestedEntry, ...]


class CommandContext:
    """One run of a command. Exactly one of ``result`` and ``error`` means something once it ``is_finished``.

    ``outer``: the command from within which it was called; ``outermost``: the first of that chain, itself if it ``is_outermost``.
    ``items``: its own bag, in memory, not shared with nested commands. ``handler``: who handles it, None for a whole broadcast.
    """

    def __init__(
        self, commander: Commander, command: object, outer: CommandContext | None, handler: Command[Any, Any] | None = None
    ) -> None:
        self.commander = commander
        self.command = command
        self.handler = handler
        self.result: Any = None
        self.error: Exception | None = None
        self.items = ContextItems()
        self.is_finished = False
        self.outer = outer
        self.is_outermost = outer is None
        self.outermost: CommandContext = self if outer is None else outer.outermost
        self.operation: OperationRecord = OperationRecord() if outer is None else outer.operation
        # Until the nested logger says otherwise: who is not recorded speaks for the command around it.
        self.operation_items: OperationItems = OperationItems() if outer is None else outer.operation_items

    def __repr__(self) -> str:
        return f"<run of {self.command!r}>"

    @staticmethod
    def current() -> CommandContext | None:
        """The command whose handler or filter this code runs in, if any."""
        return current_context.get()

    def save(self) -> Saved:
        """What the outermost command begins this attempt with: a filter that runs the rest of the chain again keeps it."""
        return Saved(self.items.snapshot(), self.operation_items.copy(), tuple(self.operation.nested))

    def restore(self, saved: Saved) -> None:
        """Forget what an attempt left: its items, nested commands, scope, result and error. The operation's id stays.

        So does a scope that is committed already.
        """
        self.items.restore(saved.items)
        self.operation_items = saved.operation_items.copy()
        self.operation.nested[:] = saved.nested
        self.operation.set_back()
        self.result, self.error = None, None


current_context: ContextVar[CommandContext | None] = ContextVar("opwright command", default=None)

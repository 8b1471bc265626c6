"""Transient scopes, and the completion of every scope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from opwright.commands.completion_notifier import OperationCompletionNotifier
from opwright.commands.context import CommandContext
from opwright.commands.pipeline import CallNext
from opwright.commands.priorities import IN_MEMORY_SCOPE
from opwright.commands.scope import OperationScope, ScopeProvider


class InMemoryOperationScope(OperationScope):
    """A scope without a database: there is nothing to undo, and no other host learns of it."""

    is_transient = True

    async def commit(self) -> None:
        self.entry = self.make_entry()
        self.is_committed = True

    async def roll_back(self) -> None:
        if self.is_committed is None:
            self.is_committed = False


class InMemoryOperationScopeProvider(ScopeProvider):
    """Opens a transient scope where one is asked for and no durable one is given, and completes scopes of every kind.

    What was committed is invalidated here before the caller has its result; then the completion handlers are called.
    """

    priority: ClassVar[float] = IN_MEMORY_SCOPE
    durable: ClassVar[bool] = False

    def __init__(self, notifier: OperationCompletionNotifier) -> None:
        self._notifier = notifier

    def open(self, context: CommandContext) -> OperationScope:
        return InMemoryOperationScope(self, context)

    async def __call__(self, command: object, context: CommandContext, call_next: CallNext) -> Any:
        try:
            return await super().__call__(command, context, call_next)
        finally:
            # A filter may fail after the commit, so what was committed counts, and not what is raised.
            if context.is_outermost and (scopes := context.operation.scopes()):
                await context.operation.ending.run(self._complete(scopes))

    async def _complete(self, scopes: Sequence[OperationScope]) -> None:
        for scope in scopes:
            if scope.in_doubt:
                self._notifier.doubt(scope.id)
            if scope.entry is not None:
                await self._notifier.notify(scope.entry, durable=not scope.is_transient)
            await scope.complete()

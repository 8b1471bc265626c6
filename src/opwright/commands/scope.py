"""Operation scopes: what a command changes, its log entry and its events are committed together, or nothing of them."""

from __future__ import annotations

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from opwright.commands.completion import Completion
from opwright.commands.context import CommandContext, current_context
from opwright.commands.events import Events
from opwright.commands.operation_items import OperationItems
from opwright.commands.pipeline import CallNext
from opwright.errors import ConfigurationError, InvalidOperation
from opwright.model.log_entry import LogEntry
from opwright.telemetry import logger


class OperationScope(ABC):
    """The life of an outermost command's effects: opened when a handler asks for it, used, committed or rolled back, completed.

    ``id``: of the operation. ``is_committed``: None until it is decided. ``entry``: the log entry, once committed.
    ``was_cancelled``: what was done in it, which may have been writing.
    """

    is_transient: ClassVar[bool]
    in_doubt = False  # whether it may be committed though it does not look so
    was_cancelled = False

    def __init__(self, provider: ScopeProvider, context: CommandContext) -> None:
        self.provider = provider
        self.id = context.operation.id
        self.is_committed: bool | None = None
        self.entry: LogEntry | None = None
        self._context = context.outermost
        self._handlers: list[Callable[[bool], Any]] = []
        # Encoded before the handler runs: a command that cannot travel is refused while there is nothing to undo.
        handler = context.outermost.handler
        assert handler is not None  # noqa: S101 - nobody else asks for a scope
        self._command, self._inputs = handler.name, handler.encode(context.outermost.command)

    @property
    def items(self) -> OperationItems:
        """What the command that asks leaves for those who invalidate; nested commands have bags of their own."""
        current = current_context.get()
        asking = current if current is not None and current.outermost is self._context else self._context
        return asking.operation_items

    def on_completion(self, function: Callable[[bool], Any]) -> None:
        """Call a function, synchronous or not, with whether it was committed, after that and the invalidation here.

        What it raises is logged and changes nothing. Raises InvalidOperation when it is decided already.
        """
        if self.is_committed is not None:
            raise InvalidOperation("the operation scope is closed: nothing can be added to it", field="scope")
        self._handlers.append(function)

    def after_commit(self, function: Callable[[], Any]) -> None:
        """Call a function, synchronous or not, if and when it was committed; otherwise as ``on_completion``."""
        self.on_completion(lambda committed: function() if committed else None)

    async def connection(self) -> Any:
        """The connection in whose transaction the effects belong. Raises InvalidOperation where the scope is transient."""
        raise InvalidOperation(
            "the operation scope is transient: it has no transaction; register the command as durable", field="scope"
        )

    @property
    def events(self) -> Events:
        """Its outbox. Raises InvalidOperation where the scope is transient."""
        raise InvalidOperation(
            "the operation scope is transient: it has no events; register the command as durable", field="scope"
        )

    @abstractmethod
    async def commit(self) -> None:
        """Make the effects last, together with ``make_entry()``; sets ``entry`` and ``is_committed``, or raises."""

    @abstractmethod
    async def roll_back(self) -> None:
        """Undo whatever was not committed, and set ``is_committed``; nothing where it is decided already."""

    def make_entry(self) -> LogEntry:
        """The entry as it stands now; a provider writes it in the transaction that it commits."""
        context, commander = self._context, self._context.commander
        items, nested = context.operation_items.snapshot(), tuple(context.operation.nested)
        return LogEntry(self.id, commander.origin, commander.clock.now(), self._command, self._inputs, items, nested)

    async def complete(self) -> None:
        """Call what waits for the end, in order and once. Never raises."""
        handlers, self._handlers = self._handlers, []
        for function in handlers:
            try:
                answer = function(self.is_committed is True)
                if inspect.isawaitable(answer):
                    await answer
            except Exception:  # noqa: BLE001 - the effects are committed, or undone, already
                end = "in doubt" if self.in_doubt else "committed" if self.is_committed else "rolled back"
                logger.exception("what waits for the end of %s (operation %d, %s) failed", self._command, self.id, end)


class ScopeProvider(ABC):
    """A filter that opens scopes for the handlers below it, and commits or rolls back what it opened.

    Opening must not wait: it makes the scope, which begins its transaction when it is first used.
    """

    priority: ClassVar[float]
    durable: ClassVar[bool]

    @abstractmethod
    def open(self, context: CommandContext) -> OperationScope | None:
        """A scope for the command of this context, or None: somebody further out shall open one."""

    async def __call__(self, command: object, context: CommandContext, call_next: CallNext) -> Any:
        if not context.is_outermost:
            return await call_next()
        context.operation.providers.append(self)
        try:
            return await self._in_scope(context, call_next)
        finally:
            context.operation.providers.pop()

    async def _in_scope(self, context: CommandContext, call_next: CallNext) -> Any:
        try:
            result = await call_next()
            if (scope := self._own(context)) is not None and scope.is_committed is None:
                await scope.commit()
        except BaseException as error:
            if (scope := self._own(context)) is not None:
                scope.was_cancelled = isinstance(error, asyncio.CancelledError)
                await scope.roll_back()
            raise
        return result

    def _own(self, context: CommandContext) -> OperationScope | None:
        scope = context.operation.scope
        return scope if scope is not None and scope.provider is self else None


def scope_of(context: CommandContext) -> OperationScope:
    """The scope of the operation, opened by the innermost provider that will when there is none yet.

    One that was rolled back is followed by a fresh one, for an attempt that runs the rest of the chain again.
    Raises ConfigurationError where a command needs a durable one and the command around it has opened a transient one,
    InvalidOperation where the scope is committed already.
    """
    operation, handler = context.operation, context.handler
    if operation.scope is not None and operation.scope.is_committed is False:
        operation.set_back()
    if operation.scope is None:
        operation.scope = _opened(context)
    elif operation.scope.is_committed:
        raise InvalidOperation(
            f"operation {operation.scope.id} is committed and takes nothing more: call with isolated=True for one of its own",
            field="scope",
        )
    elif operation.scope.is_transient and _must_be_durable(context):
        raise ConfigurationError(
            f"{handler} needs a durable scope, but {context.outermost.handler} around it has opened a transient one: "
            "make that durable, or call the nested command with isolated=True"
        )
    return operation.scope


def _must_be_durable(context: CommandContext) -> bool:
    durable = context.handler is not None and context.handler.durable
    return durable and any(provider.durable for provider in context.operation.providers)


def _opened(context: CommandContext) -> OperationScope:
    if isinstance(context.outermost.command, Completion):
        raise InvalidOperation("what invalidates must change nothing: no operation scope is opened for it", field="scope")
    for provider in reversed(context.operation.providers):
        if (scope := provider.open(context)) is not None:
            return scope
    raise ConfigurationError(f"{context.handler} asks for an operation scope, and nobody provides one")

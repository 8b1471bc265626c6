"""Calls commands: each in a task and a context of its own."""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from typing import Any

from opwright import telemetry
from opwright.clock import Clock
from opwright.commands.ambient import clean_context, submitted_context
from opwright.commands.command import Command
from opwright.commands.completion import Completion, terminate
from opwright.commands.completion_notifier import OperationCompletionNotifier
from opwright.commands.context import CommandContext, current_context
from opwright.commands.db_scope_provider import DbOperationScopeProvider
from opwright.commands.in_memory_scope import InMemoryOperationScopeProvider
from opwright.commands.invalidation import InvalidatingCommandCompletionHandler
from opwright.commands.nested_logger import NestedOperationLogger
from opwright.commands.origin import Origin
from opwright.commands.pipeline import Filter, Pipeline, Step
from opwright.commands.registry import CommandRegistry
from opwright.commands.scope import ScopeProvider
from opwright.errors import InvalidOperation
from opwright.operations.client import Client
from opwright.operations.keeping import operation_of
from opwright.operations.trigger import Trigger
from opwright.store.engine import Engine
from opwright.telemetry import logger
from opwright.watch.log_watcher import DbLogWatcher
from opwright.watch.log_watchers import WatcherFor


class Commander:
    """The commands of an application, and the way to call them."""

    def __init__(self, client: Client, watcher_for: WatcherFor) -> None:
        self._client = client
        self._watcher_for = watcher_for
        self.registry = CommandRegistry()
        self._origin = Origin()
        self.notifier = OperationCompletionNotifier(self._origin, self._monotonic)
        self.invalidation = InvalidatingCommandCompletionHandler(self.registry.find)
        self.notifier.attach(self._complete)
        self._install(NestedOperationLogger(), object)
        self._install(InMemoryOperationScopeProvider(self.notifier), object)
        durable = DbOperationScopeProvider(client)
        client.scope = durable.joining
        self._install(durable, object)
        self._install(self.invalidation, Completion)
        self.registry.add(Command(terminate, "opwright.completion", durable=False))

    @property
    def clock(self) -> Clock:
        """That of the application, wherever a test has moved it."""
        return self._client.clock

    @property
    def origin(self) -> int:
        """The id of this process in the log entries that it writes."""
        return self._origin()

    def log_watcher(self, engine: Engine) -> DbLogWatcher:
        """A new watcher of the log in this database, as the application wants it; one for each event loop that reads it."""
        return self._watcher_for(engine, self._origin)

    def provide(self, provider: ScopeProvider) -> None:
        """Have scopes opened by this provider too, for all commands, at its own place in the pipeline."""
        self._install(provider, object, ours=False)

    def steps(self, kind: type) -> list[Step]:
        """The pipeline of a type of command, from the outside in; of a broadcast, all of its handlers come last."""
        if not self.registry.is_broadcast(kind):
            return self.registry.pipeline(kind).steps()
        chains = [pipeline.steps() for pipeline in self.registry.pipelines(kind)]
        return chains[0][:-1] + [steps[-1] for steps in chains] if chains else []

    def trigger_of(self, command: object) -> Trigger[Any, Any]:
        """The trigger of a command. Raises UnknownCommand, InvalidOperation for a broadcast."""
        if self.registry.is_broadcast(type(command)):
            kind = type(command).__qualname__
            raise InvalidOperation(f"{kind} is broadcast: add it by `scope.events.broadcast(…)`", field="command")
        return self.registry.pipeline(type(command)).handler.as_trigger()

    def triggers_of(self, command: object) -> list[Trigger[Any, Any]]:
        """Those of all who handle a broadcast. Raises InvalidOperation, UnknownCommand where it is none."""
        kind = type(command)
        if not self.registry.is_broadcast(kind):
            handler = self.registry.pipeline(kind).handler
            raise InvalidOperation(f"{handler} is no handler of a broadcast: `scope.events.add(…)`", field="command")
        return [chain.handler.as_trigger() for chain in self._broadcast_chains(kind)]

    async def call(self, command: object, *, isolated: bool = False) -> Any:
        """The result of a command; raises what its pipeline raises, UnknownCommand when nobody handles it.

        ``isolated``: even from within another command it is an outermost one, with a scope of its own.
        """
        context = await self.run(command, isolated=isolated)
        if context.error is not None:
            raise context.error
        return context.result

    async def call_submitted(self, handler: Command[Any, Any], command: object) -> Any:
        """The same for a command that was submitted: a durable scope writes the end of its operation with the effects.

        So they happen once, though the operation may be begun again when its worker has died.
        """
        context = CommandContext(self, command, None)
        context.operation.submitted = operation_of(self._client)
        await self._perform(context, self.registry.chain(handler), submitted_context())
        if context.error is not None:
            raise context.error
        return context.result

    async def run(self, command: object, *, isolated: bool = False) -> CommandContext:
        """The finished run of a command, with its result or its error. Raises nothing but a cancellation."""
        around = self._outer()
        if not isolated or around is None:
            return await self._run(command, around)
        apart, name = around.operation.apart, type(command).__qualname__
        apart.append(name)
        try:
            return await self._run(command, None)
        finally:
            apart.remove(name)

    async def _run(self, command: object, outer: CommandContext | None) -> CommandContext:
        if self.registry.is_broadcast(type(command)):
            return await self._broadcast(command, outer)
        context = CommandContext(self, command, outer)
        await self._perform(context, None)
        return context

    # ------------------------------------------------------------------------------------------- one command

    def _outer(self) -> CommandContext | None:
        """The command around this call. A task that outlived its command is inside of none."""
        current = current_context.get()
        around = current is not None and current.commander is self and not current.outermost.is_finished
        return current if around else None

    async def _perform(self, context: CommandContext, pipeline: Pipeline | None, ambient: Context | None = None) -> None:
        if not context.is_outermost:
            await asyncio.create_task(self._carry_out(context, pipeline), context=copy_context())
            return
        task = asyncio.create_task(self._carry_out(context, pipeline), context=ambient or clean_context())
        await context.operation.ending.awaited(task)

    async def _carry_out(self, context: CommandContext, pipeline: Pipeline | None) -> None:
        current_context.set(context)
        try:
            chain = pipeline or self.registry.pipeline(type(context.command))
            context.handler = chain.handler
            if context.is_outermost:
                context.operation.ending.is_alone = chain.is_ours
            await chain.run(context)
        except Exception as error:  # noqa: BLE001 - it belongs to whoever called the command
            context.result, context.error = None, error
        finally:
            context.is_finished = True

    # ------------------------------------------------------------------------------------------- a broadcast

    async def _broadcast(self, command: object, outer: CommandContext | None) -> CommandContext:
        """Every handler in a context of its own; the first failure is that of the broadcast, after all have ended."""
        chains = self._broadcast_chains(type(command))
        failed: list[CommandContext] = []
        answers = await asyncio.gather(*(self._one(command, outer, chain, failed) for chain in chains), return_exceptions=True)
        for answer in answers:
            if answer is not None:
                raise answer
        whole = CommandContext(self, command, outer)
        whole.error = _first(failed)
        whole.is_finished = True
        return whole

    def _broadcast_chains(self, kind: type) -> list[Pipeline]:
        """Of all who handle it; that it may be nobody is said, for it is seldom meant."""
        chains = self.registry.pipelines(kind)
        if not chains:
            logger.warning("nobody handles the broadcast %s", kind.__qualname__)
        return chains

    async def _one(self, command: object, outer: CommandContext | None, chain: Pipeline, failed: list[CommandContext]) -> None:
        context = CommandContext(self, command, outer)
        await self._perform(context, chain)
        if context.error is not None:
            failed.append(context)

    # ----------------------------------------------------------------------------------------------- the rest

    def _monotonic(self) -> float:
        return self.clock.monotonic()

    async def _complete(self, completion: Completion) -> None:
        context = CommandContext(self, completion, None)
        token = current_context.set(None)
        try:  # in the task of whoever tells of it: its context has nothing of a command's
            await self._carry_out(context, None)
        finally:
            current_context.reset(token)
        if context.error is not None:
            raise context.error
        telemetry.emit("operation.completed", operation=completion.entry.id, command=completion.entry.command)

    def _install(self, function: Any, kind: type, *, ours: bool = True) -> None:
        self.registry.add_filter(
            Filter(type(function).__name__, function.priority, kind, function, everywhere=True, is_ours=ours)
        )


def _first(failed: list[CommandContext]) -> Exception | None:
    """The first failure; what only it can say is said, the others are logged."""
    for context in failed[1:]:
        logger.error("another handler of a broadcast failed: %r", context.handler, exc_info=context.error)
    return failed[0].error if failed else None

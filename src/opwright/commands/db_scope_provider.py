"""Opens durable scopes, and runs a command again whose transaction failed for a reason that passes."""

from __future__ import annotations

import asyncio
import random
from typing import Any, ClassVar

from opwright.commands.context import CommandContext, current_context
from opwright.commands.db_scope import DbOperationScope, Joining
from opwright.commands.pipeline import CallNext
from opwright.commands.priorities import DB_SCOPE
from opwright.commands.scope import ScopeProvider
from opwright.commands.to_the_end import to_the_end
from opwright.operations.client import Client
from opwright.store.transient import passes
from opwright.telemetry import emit, logger

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 3.0  # seconds before a command is run again, trebled each time, and jittered


class DbOperationScopeProvider(ScopeProvider):
    """The database scope of durable commands: one transaction around the handler and all that it calls."""

    priority: ClassVar[float] = DB_SCOPE
    durable: ClassVar[bool] = True

    def __init__(self, client: Client) -> None:
        self._client = client

    def open(self, context: CommandContext) -> DbOperationScope | None:
        durable = context.handler is not None and context.handler.durable
        return DbOperationScope(self, context, self._client) if durable else None

    def joining(self) -> Joining | None:
        """The open scope around this code, as what a submit joins."""
        context = current_context.get()
        scope = None if context is None else self._open(context)
        return None if scope is None else Joining(scope)

    async def _in_scope(self, context: CommandContext, call_next: CallNext) -> Any:
        """Attempts, of which each begins like the first, with the same id."""
        saved = context.save()
        retries = 0 if context.handler is None else context.handler.retries
        for attempt in range(1, retries + 1):
            try:
                return await self._attempt(context, call_next)
            except Exception as error:
                scope = self._failed(context, error)
                if scope is None:
                    raise
                pause = _pause(attempt)
                _tell(context, error, attempt, pause)
            await to_the_end(scope.complete())
            context.restore(saved)
            await asyncio.sleep(pause)
        return await self._attempt(context, call_next)

    async def _attempt(self, context: CommandContext, call_next: CallNext) -> Any:
        try:
            return await super()._in_scope(context, call_next)
        except Exception as error:
            scope = self._own(context)
            if isinstance(scope, DbOperationScope) and scope.expiry is not None and error is not scope.expiry:
                raise scope.expiry from error
            raise

    def _failed(self, context: CommandContext, error: Exception) -> DbOperationScope | None:
        """The scope of an attempt that may be made again: it left nothing, and its error passes."""
        scope = self._own(context)
        if not isinstance(scope, DbOperationScope) or scope.is_committed or scope.in_doubt or scope.expiry is not None:
            return None
        return scope if scope.lost or passes(error) else None

    def _open(self, context: CommandContext) -> DbOperationScope | None:
        scope = self._own(context)
        return scope if isinstance(scope, DbOperationScope) and scope.is_committed is None else None


def _pause(attempt: int) -> float:
    longest = min(FIRST_PAUSE * 3.0 ** (attempt - 1), LONGEST_PAUSE)
    return longest * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, not a secret


def _tell(context: CommandContext, error: Exception, attempt: int, pause: float) -> None:
    operation, name = context.operation.id, "" if context.handler is None else context.handler.name
    emit("command.retried", operation=operation, command=context.handler, attempt=attempt, pause=pause, error=error)
    logger.warning("%s: attempt %d failed, and is made again in %.2f s: %s", name, attempt, pause, error)

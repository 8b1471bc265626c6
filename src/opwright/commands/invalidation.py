"""Invalidation: what a committed command, and those nested in it, made out of date here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from opwright import telemetry
from opwright.commands.command import Command
from opwright.commands.completion import Completion
from opwright.commands.context import CommandContext
from opwright.commands.pipeline import CallNext
from opwright.commands.priorities import INVALIDATION
from opwright.model.log_entry import LogEntry
from opwright.telemetry import logger

Find = Callable[[str], Command[Any, Any] | None]


class InvalidatingCommandCompletionHandler:
    """Runs the ``invalidates`` functions of the nested commands in order, then that of the command, each with its own items.

    One that fails does not keep the others from running. ``failures`` counts them.
    """

    priority: ClassVar[float] = INVALIDATION

    def __init__(self, find: Find) -> None:
        self.failures = 0
        self._find = find
        self._unknown: set[str] = set()

    async def __call__(self, command: Completion, context: CommandContext, call_next: CallNext) -> Any:
        """Raises an ExceptionGroup of what failed, after everything has run."""
        errors = [error for part in command.entry.parts() if (error := await self._invalidated(part)) is not None]
        if errors:
            raise ExceptionGroup(f"what {command.entry.command} invalidates (operation {command.entry.id})", errors)
        return await call_next()

    async def _invalidated(self, entry: LogEntry) -> Exception | None:
        found = self._find(entry.command)
        if found is None:
            self._miss(entry.command)
            return None
        try:
            await found.invalidate_for(entry)
        except Exception as error:  # noqa: BLE001 - it is told after the others have run
            self.failures += 1
            telemetry.emit("invalidation.failed", operation=entry.id, command=entry.command, error=error)
            return error
        return None

    def _miss(self, name: str) -> None:
        """A program of another make shares the log. Trying again would not teach this one the command."""
        if name not in self._unknown:
            self._unknown.add(name)
            logger.warning("the operation log names the command %r, which is not registered here: nothing is invalidated", name)


InvalidatingCompletionHandler = InvalidatingCommandCompletionHandler

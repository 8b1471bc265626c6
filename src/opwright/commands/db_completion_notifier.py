"""``DbOperationCompletionNotifier``: between the completions of this process and the log that it shares with others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from opwright.commands.completion import Completion
from opwright.commands.completion_notifier import OperationCompletionNotifier
from opwright.model.log_entry import LogEntry


class DbOperationCompletionNotifier:
    """Tells other processes that a command was committed here, and this one what was committed by others.

    ``changed``: tells the others to read the log, soon; that is the ``changed`` of a DbLogWatcher.
    """

    def __init__(self, notifier: OperationCompletionNotifier, changed: Callable[[], Awaitable[None]]) -> None:
        self._notifier = notifier
        self._changed = changed
        notifier.attach(self.completed)

    async def completed(self, completion: Completion) -> None:
        """What was committed in the database by this process has been invalidated here; now the others may follow."""
        if completion.is_local and completion.is_durable:
            await self._changed()

    async def replay(self, entry: LogEntry) -> bool:
        """Complete here what another process has committed; whether it was new. Raises what failed."""
        return await self._notifier.notify(entry)

"""Tells everybody in this process, once, that an operation has been committed, wherever that was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from opwright import telemetry
from opwright.commands.completion import Completion
from opwright.commands.recently_seen import RecentlySeen
from opwright.model.log_entry import LogEntry
from opwright.telemetry import logger

Listener = Callable[[Completion], Awaitable[object]]


class OperationCompletionNotifier:
    """Passes each entry to all listeners, one after the other; an id that came by lately is passed over.

    ``origin``: tells the id of this process. Those that read the log call ``notify`` too.
    """

    def __init__(self, origin: Callable[[], int], monotonic: Callable[[], float]) -> None:
        self._origin = origin
        self._seen = RecentlySeen(monotonic)
        self._listeners: list[Listener] = []
        self._doubtful: set[int] = set()
        self.is_followed = False

    def listen(self, listener: Listener) -> None:
        """Call an async function for every completion from now on; one of another process may come again if it raises.

        Where somebody listens the log is read, also when nothing is cached.
        """
        self.is_followed = True
        self.attach(listener)

    def attach(self, listener: Listener) -> None:
        """The same, as far as the log is read for another reason."""
        self._listeners.append(listener)

    def doubt(self, operation: int) -> None:
        """It may have been committed here without our learning of it: then the log tells, and it must not be taken for known."""
        self._doubtful.add(operation)

    def is_known(self, entry: LogEntry) -> bool:
        """Whether it was carried out by this very process, which has completed it."""
        return entry.origin == self._origin() and entry.id not in self._doubtful

    async def notify(self, entry: LogEntry, *, durable: bool = True) -> bool:
        """Whether the entry was new. ``durable``: it stands in the log.

        What fails for an entry of this process is logged and counted, because its command has succeeded. For one of another
        process it is raised after all have been told, and the entry is new again: whoever reads the log delivers it again.
        """
        if not self._seen.add(entry.id):
            return False
        self._doubtful.discard(entry.id)
        completion = Completion(entry, entry.origin == self._origin(), durable)
        delivered = False
        try:
            await self._tell(completion)
            delivered = True
        finally:
            if not delivered:
                self._seen.forget(entry.id)
        return True

    async def _tell(self, completion: Completion) -> None:
        errors = [error for listener in self._listeners if (error := await _heard(listener, completion)) is not None]
        for error in errors:
            _report(completion, error)
        if errors and not completion.is_local:
            raise errors[0] if len(errors) == 1 else ExceptionGroup(f"completion of {completion.entry.id}", errors)


async def _heard(listener: Listener, completion: Completion) -> Exception | None:
    try:
        await listener(completion)
    except Exception as error:  # noqa: BLE001 - it is told after all have heard
        return error
    return None


def _report(completion: Completion, error: Exception) -> None:
    entry = completion.entry
    telemetry.emit("completion.failed", operation=entry.id, command=entry.command, local=completion.is_local, error=error)
    if completion.is_local:
        said = "%s (operation %d) is committed, but its completion here failed: values here may be out of date"
        logger.error(said, entry.command, entry.id, exc_info=telemetry.without_the_way(error))

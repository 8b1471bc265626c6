"""Log entries whose completion failed here, or takes long: tried again after growing pauses, and at last given up."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass

from opwright.model.log_entry import LogEntry
from opwright.service import backoff_pause
from opwright.telemetry import emit, in_a_line, logger, without_the_way

TRIES = 10  # with the pauses between them some twenty seconds


@dataclass
class _Failing:
    """``due``: by the monotonic clock; never, while a try goes on. ``ended`` is done when it was delivered or given up."""

    entry: LogEntry
    ended: asyncio.Future[None]
    tries: int = 0
    due: float = 0.0


class Undelivered:
    """By the ids of their operations. ``abandoned`` counts what was given up."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.abandoned = 0
        self._monotonic = monotonic
        self._failing: dict[int, _Failing] = {}
        self._tries: set[asyncio.Task[None]] = set()  # that go on while others are delivered

    def __len__(self) -> int:
        return len(self._failing)

    def __contains__(self, operation: int) -> bool:
        return operation in self._failing

    @property
    def any_hangs(self) -> bool:
        """Whether a try goes on that was overtaken."""
        return bool(self._tries)

    def failed(self, entry: LogEntry, error: Exception) -> None:
        """A try has failed: note when the next one is due, or give it up."""
        one = self._failing.get(entry.id) or self._added(entry)
        one.tries += 1
        one.due = self._monotonic() + backoff_pause(one.tries)
        if one.tries == 1:
            logger.warning("%s (operation %d) of another process: %s; trying again", entry.command, entry.id, in_a_line(error))
        if one.tries >= TRIES:
            self.abandon(entry.id, entry.command, one.tries, error)

    def overtaken(self, entry: LogEntry, trying: asyncio.Task[None]) -> None:
        """A try takes long, and goes on while others are delivered; it tells itself how it ends."""
        one = self._failing.get(entry.id) or self._added(entry)
        one.due = math.inf
        self._tries.add(trying)
        trying.add_done_callback(self._tries.discard)

    async def interrupted(self) -> None:
        """End the tries that go on. What they were for is due."""
        self._interrupt()
        if self._tries:
            await asyncio.wait(self._tries)

    def _interrupt(self) -> None:
        for trying in self._tries:
            trying.cancel()
        for one in self._failing.values():
            if one.due == math.inf:
                one.due = 0.0

    def abandon(self, operation: int, command: str | None, tries: int, error: Exception) -> None:
        """Give one up, loudly: what it concerns may stay out of date here."""
        self.abandoned += 1
        emit("log.abandoned", operation=operation, command=command, tries=tries, error=error)
        logger.error(
            "given up after %d tries: what %s (operation %d) of another process invalidates; values here may be out of date",
            tries, command, operation, exc_info=without_the_way(error),
        )  # fmt: skip
        self.delivered(operation)

    def delivered(self, operation: int) -> None:
        """It needs no more tries."""
        one = self._failing.pop(operation, None)
        if one is not None and not one.ended.done():
            one.ended.set_result(None)

    def clear(self) -> None:
        """Everything was invalidated, and so what these concern."""
        self._interrupt()
        for operation in tuple(self._failing):
            self.delivered(operation)

    def _added(self, entry: LogEntry) -> _Failing:
        one = self._failing[entry.id] = _Failing(entry, asyncio.get_running_loop().create_future())
        return one

    def due(self) -> list[LogEntry]:
        """Those whose time has come."""
        now = self._monotonic()
        return [one.entry for one in self._failing.values() if one.due <= now]

    def pause(self, most: float) -> float:
        """Seconds until the next of them is due, no more than ``most``."""
        now = self._monotonic()
        return min([most, *(max(one.due - now, 0.0) for one in self._failing.values())])

    async def end(self, operation: int) -> None:
        """Wait until one was delivered or given up."""
        one = self._failing.get(operation)
        if one is not None:
            await asyncio.shield(one.ended)

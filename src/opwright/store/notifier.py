"""Debounced notifications: the first goes at once, those that come while it is on its way become one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from opwright.errors import StoreError
from opwright.telemetry import logger


class Notifier:
    """Sends "there is something to look at". A lost one costs at most a heartbeat, because polling stays underneath."""

    def __init__(self, deliver: Callable[[], Awaitable[None]]) -> None:
        self._deliver = deliver
        self._due = False
        self._task: asyncio.Task[None] | None = None

    def send(self) -> None:
        """Send one soon."""
        self._due = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="opwright notifier")

    async def close(self) -> None:
        """Wait until what is due has gone."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=2)

    async def _run(self) -> None:
        while self._due:
            self._due = False
            try:
                await self._deliver()
            except StoreError as error:
                logger.debug("a notification was not sent: %s", error)

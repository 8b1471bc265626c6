"""Debounced notifications: the first goes at once, those that come soon after it become one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from opwright.errors import StoreError
from opwright.telemetry import logger

REST = 0.003  # seconds between two; one for each of many submits in a row would cost half as much as the submits
CLOSE_SECONDS = 2.0


class Notifier:
    """Sends "there is something to look at". A lost one costs at most a heartbeat, because polling stays underneath.

    ``rest``: seconds between two. As long as more is due after each, it grows, to ``longest``.
    """

    def __init__(self, deliver: Callable[[], Awaitable[None]], rest: float = REST, longest: float = 0.0) -> None:
        self._deliver = deliver
        self._shortest = self._rest = rest
        self._longest = max(rest, longest)
        self._due = False
        self._task: asyncio.Task[None] | None = None
        self._resting: asyncio.TimerHandle | None = None

    def send(self) -> None:
        """Send one soon."""
        self._due = True
        if self._quiet():
            self._task = asyncio.create_task(self._run(), name="opwright notifier")

    def carry(self) -> bool:
        """Whether the caller is to send one himself, now, because none went lately; those that come soon after it rest."""
        if not self._quiet():
            return False
        self._rest_now()
        return True

    async def close(self) -> None:
        """Wait until what is due has gone, also what became due while another one was on its way; give up after two seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                while self._due or self._task is not None:
                    self._stop_resting()
                    if self._task is not None:
                        await asyncio.wait([self._task])
        self._due = False
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._stop_resting()

    def _stop_resting(self) -> None:
        if self._resting is not None:
            self._resting.cancel()
            self._rested()

    async def _run(self) -> None:
        self._due = False
        try:
            await self._deliver()
        except StoreError as error:
            logger.debug("a notification was not sent: %s", error)
        finally:
            self._task = None
            self._rest_now()

    def _quiet(self) -> bool:
        return self._task is None and self._resting is None

    def _rest_now(self) -> None:
        self._resting = asyncio.get_running_loop().call_later(self._rest, self._rested)

    def _rested(self) -> None:
        self._resting = None
        self._rest = min(self._rest * 2, self._longest) if self._due else self._shortest
        if self._due:
            self.send()

"""Requests to cancel what this host holds: looked for after news and at each heartbeat, and no more often than is of use."""

from __future__ import annotations

from opwright.model.claim import Claim
from opwright.scheduler.holdings import Holdings
from opwright.store.queue import Queue

CANCEL_PERIOD = 0.1  # seconds between two looks, while news come


class Cancelling:
    """When to look for requests. Moments are those of the monotonic clock."""

    def __init__(self, queue: Queue, holdings: Holdings) -> None:
        self._queue = queue
        self._holdings = holdings
        self._news = False
        self._looked_at = 0.0

    def news(self) -> None:
        """Somebody may have asked."""
        self._news = True

    @property
    def next(self) -> float | None:
        """When to look; ``None`` while there is nothing that could be asked for."""
        return self._looked_at + CANCEL_PERIOD if self._news and self._holdings.claims else None

    def due(self, now: float) -> bool:
        """Whether to look now."""
        return self.next is not None and now >= self.next

    async def asked(self, host: int, now: float) -> list[Claim]:
        """Which of the claims that are held here somebody wants cancelled."""
        self._news, self._looked_at = False, now
        found = [self._holdings.held(operation, token) for operation, token in await self._queue.asked(host)]
        return [claim for claim in found if claim is not None]

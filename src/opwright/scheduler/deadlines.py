"""The deadlines of operations that have a ``timeout``: one timer for each that is with a worker, gone when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from opwright.clock import SECOND, Clock
from opwright.model.claim import Claim


class Deadlines:
    """Calls ``expired(claim)`` when an operation has run longer than its timeout; ``begun_at`` tells since when it runs."""

    def __init__(self, begun_at: Callable[[int], int | None], clock: Clock, expired: Callable[[Claim], None]) -> None:
        self._begun_at = begun_at
        self._clock = clock
        self._expired = expired
        self._timers: dict[int, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._timers)

    def watch(self, claim: Claim, timeout: float) -> None:
        """It was given to a worker."""
        self._look_in(claim, timeout, timeout)

    def forget(self, operation: int) -> None:
        """It has ended, or is no longer ours."""
        timer = self._timers.pop(operation, None)
        if timer is not None:
            timer.cancel()

    def clear(self) -> None:
        """Forget all."""
        for operation in tuple(self._timers):
            self.forget(operation)

    def _look_in(self, claim: Claim, timeout: float, seconds: float) -> None:
        self.forget(claim.operation)
        self._timers[claim.operation] = asyncio.get_running_loop().call_later(seconds, self._look, claim, timeout)

    def _look(self, claim: Claim, timeout: float) -> None:
        """It may have begun later than it was given away: then its deadline is later too."""
        begun = self._begun_at(claim.operation)
        ran = 0.0 if begun is None else (self._clock.now() - begun) / SECOND
        left = min(timeout - ran, timeout)  # a clock that was set back gives no more than one timeout
        if left > 0:
            self._look_in(claim, timeout, left)
        else:
            self.forget(claim.operation)
            self._expired(claim)

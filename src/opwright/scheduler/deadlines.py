"""The deadlines of operations that have a ``timeout``: one timer for each that is with a worker, gone when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from opwright.clock import SECOND, Clock
from opwright.model.claim import Claim


class Watched(NamedTuple):
    """An operation with a worker, its timeout in seconds, and the monotonic time at which it was first seen to run."""

    claim: Claim
    timeout: float
    seen: float | None = None


class Deadlines:
    """Calls ``expired(claim)`` when an operation has run longer than its timeout; ``begun_at`` tells since when it runs.

    A clock that is set back while it runs gives it two timeouts at most; one that is set forth, no less than one since it was
    given away.
    """

    def __init__(self, begun_at: Callable[[int], int | None], clock: Clock, expired: Callable[[Claim], None]) -> None:
        self._begun_at = begun_at
        self._clock = clock
        self._expired = expired
        self._timers: dict[int, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._timers)

    def watch(self, claim: Claim, timeout: float) -> None:
        """It was given to a worker."""
        self._look_in(Watched(claim, timeout), timeout)

    def forget(self, operation: int) -> None:
        """It has ended, or is no longer ours."""
        timer = self._timers.pop(operation, None)
        if timer is not None:
            timer.cancel()

    def clear(self) -> None:
        """Forget all."""
        for operation in tuple(self._timers):
            self.forget(operation)

    def _look_in(self, watched: Watched, seconds: float) -> None:
        operation = watched.claim.operation
        self.forget(operation)
        self._timers[operation] = asyncio.get_running_loop().call_later(seconds, self._look, watched)

    def _look(self, watched: Watched) -> None:
        """It may have begun later than it was given away: then its deadline is later too."""
        begun, now = self._begun_at(watched.claim.operation), self._clock.monotonic()
        if begun is None:
            self._look_in(watched, watched.timeout)
            return
        seen = now if watched.seen is None else watched.seen
        ran = max((self._clock.now() - begun) / SECOND, now - seen)
        if ran < watched.timeout:
            self._look_in(watched._replace(seen=seen), watched.timeout - ran)
        else:
            self.forget(watched.claim.operation)
            self._expired(watched.claim)

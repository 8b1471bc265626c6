"""The caches of an application, one for each event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

from opwright.clock import Clock
from opwright.computed.cache import Cache
from opwright.computed.invalidation import Delivered, Delivery, Invalidation
from opwright.errors import ConfigurationError

MAX_ENTRIES = 10_000


class Caches:
    """Finds the cache of the running loop, and reaches all of them. ``clock``: asked each time, since tests change clocks.

    ``gate``: what a value that is not there waits for before it is computed. ``used``: whether there is any computed function.
    """

    def __init__(self, clock: Callable[[], Clock], max_entries: int = MAX_ENTRIES) -> None:
        if max_entries < 1:
            raise ConfigurationError(f"max_entries: {max_entries!r} is not a positive number")
        self.by_loop: dict[asyncio.AbstractEventLoop, Cache] = {}
        self.gate: Callable[[], Awaitable[None]] | None = None
        self.used = False
        self._clock = clock
        self._max_entries = max_entries
        self._lock = threading.Lock()

    def here(self) -> Cache:
        """The cache of the running loop."""
        loop = asyncio.get_running_loop()
        return self.by_loop.get(loop) or self._added(loop)

    @property
    def occupied(self) -> bool:
        """Whether there is any value, or one is being computed."""
        return any(cache.pointers for cache in tuple(self.by_loop.values()))

    def invalidate_all(self) -> Invalidation:
        """Invalidate every value of every computed function."""
        return self.everywhere(lambda cache: cache.invalidate_where(lambda _: True))

    def _added(self, loop: asyncio.AbstractEventLoop) -> Cache:
        """A new one; those of closed loops are let go."""
        with self._lock:
            for other in [one for one in self.by_loop if one.is_closed()]:
                del self.by_loop[other]
            cache = self.by_loop[loop] = Cache(loop, self._clock, self._max_entries, lambda: self.gate)
            return cache

    def everywhere(self, act: Callable[[Cache], None]) -> Invalidation:
        """Act on every cache: on that of the running loop now, on others in their own loops."""
        here = asyncio._get_running_loop()  # noqa: SLF001 - documented; `get_running_loop` raises where there is none
        with self._lock:
            caches = list(self.by_loop.items())
        elsewhere = [_sent(loop, cache, act) for loop, cache in caches if loop is not here]
        if here in self.by_loop:
            act(self.by_loop[here])
        return Invalidation(one for one in elsewhere if one is not None)


def _sent(loop: asyncio.AbstractEventLoop, cache: Cache, act: Callable[[Cache], None]) -> Delivered | None:
    """Queue it in the loop. Nothing to wait for where none runs: whatever runs there next comes after it."""
    delivery = Delivery(lambda: act(cache))
    delivered = delivery.delivered
    try:
        loop.call_soon_threadsafe(delivery)
    except RuntimeError:  # closed
        return None
    return delivered if loop.is_running() else None

"""When which nodes are to be looked at: one timer for the earliest of them."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from weakref import ref

from opwright.clock import Clock
from opwright.computed.node import Node

FEW = 64  # entries, below which nothing is cleared away


class Deadlines:
    """A heap of moments, in seconds of the monotonic clock, each with a node, which it does not hold."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], Clock], look: Callable[[Node, float], None]) -> None:
        self._loop = loop
        self._clock = clock
        self._look = look
        self._heap: list[tuple[float, int, ref[Node]]] = []
        self._count = itertools.count()
        self._room = FEW
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, moment: float, node: Node) -> None:
        """Look at the node at that moment, if it is still there."""
        if len(self._heap) >= self._room:
            self._clear()
        entry = (moment, next(self._count), ref(node))
        heapq.heappush(self._heap, entry)
        if self._heap[0] is entry:
            self._wind()

    def expire(self) -> None:
        """Look at every node whose moment has come, and set the timer for the next."""
        now = self._clock().monotonic()
        while self._heap and self._heap[0][0] <= now:
            node = heapq.heappop(self._heap)[2]()
            if node is not None:
                self._look(node, now)
        self._wind()

    def _wind(self) -> None:
        """Set the timer anew."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap:
            self._timer = self._loop.call_later(max(0.0, self._heap[0][0] - self._clock().monotonic()), self.expire)

    def _clear(self) -> None:
        """Drop the entries of nodes that are gone; at each doubling, so that it costs each entry little."""
        self._heap = [entry for entry in self._heap if entry[2]() is not None]
        heapq.heapify(self._heap)
        self._room = max(FEW, 2 * len(self._heap))

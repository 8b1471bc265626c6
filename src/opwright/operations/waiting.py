"""Waiting for the end of operations: one poll for all who wait in this process, hastened by what its own host settles."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from opwright.errors import StoreError
from opwright.service import Service
from opwright.store.operations import Ending
from opwright.store.store import Store

SHORTEST, LONGEST = 0.005, 0.25
MOST_AT_ONCE = 1000


class Waiting(Service):
    """Runs only while somebody waits."""

    def __init__(self, store: Store) -> None:
        super().__init__("waiting")
        self.outage = store.outage
        self._store = store
        self._waiters: dict[int, set[asyncio.Future[Ending]]] = {}
        self._pause = SHORTEST

    async def wait(self, operation: int) -> Ending:
        """The end of an operation, whenever it comes."""
        future: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(operation, set()).add(future)
        self._pause = SHORTEST
        await self.start()
        self.wake()
        try:
            return await future
        finally:
            self._forget(operation, future)

    def ended(self, operations: Collection[int]) -> None:
        """These have just ended here: whoever waits for one of them need not wait for the next poll."""
        if self._waiters and not self._waiters.keys().isdisjoint(operations):
            self.wake()

    async def run_once(self) -> float:
        """Look once. Looks follow each other at growing pauses while nothing ends."""
        ended: dict[int, Ending] = {}
        asked = list(self._waiters)
        for first in range(0, len(asked), MOST_AT_ONCE):
            ended |= await self._store.operations.ended(asked[first : first + MOST_AT_ONCE])
        for operation, ending in ended.items():
            for future in self._waiters.pop(operation, ()):
                if not future.done():
                    future.set_result(ending)
        self._pause = SHORTEST if ended else min(self._pause * 1.5, LONGEST)
        return self._pause if self._waiters else LONGEST * 4

    async def stop(self) -> None:
        """End the loop; whoever still waits is told."""
        await super().stop()
        for future in {future for futures in self._waiters.values() for future in futures}:
            if not future.done():
                future.set_exception(StoreError("the application was closed while somebody waited for this operation"))
        self._waiters.clear()

    def _forget(self, operation: int, future: asyncio.Future[Ending]) -> None:
        """Nobody polls for what nobody waits for any more."""
        futures = self._waiters.get(operation, set())
        futures.discard(future)
        if not futures:
            self._waiters.pop(operation, None)

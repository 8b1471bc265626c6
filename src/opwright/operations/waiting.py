"""Waiting for the end of operations: one poll for all who wait in this process, hastened by whoever tells of an end.

The process's own host names what it has settled. Other processes are asked to tell when something has ended there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from opwright.errors import StoreError
from opwright.service import Service
from opwright.store.operations import Ending, not_found
from opwright.store.queue import lost
from opwright.store.store import Store
from opwright.watch.watcher import ends_watcher_for

SHORTEST, LONGEST = 0.005, 0.25
MOST_AT_ONCE = 1000
ASK_PERIOD = 10.0
REST = 4  # times as long as a look took nothing that is told leads to another one


class Waiting(Service):
    """Runs only while somebody waits."""

    def __init__(self, store: Store) -> None:
        super().__init__("waiting")
        self.outage = store.outage
        self._store = store
        self._waiters: dict[int, set[asyncio.Future[Ending]]] = {}
        self._pause = SHORTEST
        self._rested = 0.0  # by the loop's clock
        self._asked = float("-inf")
        self._watcher = ends_watcher_for(store.engine, self._told)
        if self._watcher is not None:
            self._watcher.outage = store.outage
        self._fresh: set[int] = set()  # nobody has looked yet whether there is such an operation

    async def wait(self, operation: int) -> Ending:
        """The end of an operation, whenever it comes. Raises OperationNotFound when it cannot come: there is no record of it."""
        future: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(operation, set()).add(future)
        self._fresh.add(operation)
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
        loop = asyncio.get_running_loop()
        begun, asked = loop.time(), list(self._waiters)
        if not asked:
            self.outage.leaves(self)  # who asks nothing does not know whether the database is back
            return LONGEST * 4
        ended: dict[int, Ending] = {}
        for first in range(0, len(asked), MOST_AT_ONCE):
            ended |= await self._store.operations.ended(asked[first : first + MOST_AT_ONCE])
        for operation, ending in ended.items():
            for future in self._waiting_for(operation):
                future.set_result(ending)
        await self._refuse_unknown()
        if len(ended) < len(asked):
            await self._ask()
        self._rested = loop.time() + REST * (loop.time() - begun)
        self._pause = SHORTEST if ended else min(self._pause * 1.5, LONGEST)
        return self._pause if self._waiters else LONGEST * 4

    async def stop(self) -> None:
        """End the loop; whoever still waits is told."""
        await super().stop()
        if self._watcher is not None:
            await self._watcher.stop()
        for future in {future for futures in self._waiters.values() for future in futures}:
            if not future.done():
                future.set_exception(StoreError("the application was closed while somebody waited for this operation"))
        self._waiters.clear()

    async def _ask(self) -> None:
        """Listen for ends in other processes, and let them know that somebody does."""
        now = asyncio.get_running_loop().time()
        if self._watcher is None or now < self._asked + ASK_PERIOD:
            return
        self._asked = now
        await self._watcher.start()
        await self._store.engine.ask_for_ends()

    def _told(self) -> None:
        """Some operations have ended somewhere. Where many wait, looks are not to follow each other without a rest."""
        if self._waiters:
            loop = asyncio.get_running_loop()
            loop.call_later(max(self._rested - loop.time(), 0.0), self.wake)

    async def _refuse_unknown(self) -> None:
        """Whoever asks for what never came to be, or was swept, is told. What is young may yet be committed."""
        fresh = set(self._fresh)
        old = [operation for operation in fresh if operation < lost() and operation in self._waiters]
        for operation in await self._store.operations.unknown(old) if old else ():
            for future in self._waiting_for(operation):
                future.set_exception(not_found(operation))
        self._fresh -= fresh

    def _waiting_for(self, operation: int) -> list[asyncio.Future[Ending]]:
        """Take those who wait for an operation off the list."""
        return [future for future in self._waiters.pop(operation, ()) if not future.done()]

    def _forget(self, operation: int, future: asyncio.Future[Ending]) -> None:
        """Nobody polls for what nobody waits for any more."""
        futures = self._waiters.get(operation, set())
        futures.discard(future)
        if not futures:
            self._waiters.pop(operation, None)

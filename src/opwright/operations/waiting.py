"""Waiting for the end of operations: one poll for all who wait in this process, hastened by whoever tells of an end.

The process's own host names what it has settled. Other processes are asked to tell when something has ended there.
"""

from __future__ import annotations

import asyncio
import math
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
REST = 4  # times as long as a look at all took nothing leads to another one
ROWS_A_SECOND = 50_000  # that looks at all may ask for, however many wait and however often they are told of ends
LINGER = 60.0  # seconds for which the connection that listens is kept while nobody waits


class Waiting(Service):
    """Runs only while somebody waits.

    Whoever comes, and what is known to have ended here, is looked up at once and alone. A look at all who wait follows others at
    growing pauses, and soon after something has ended elsewhere, but not before a rest that grows with their number.
    """

    def __init__(self, store: Store) -> None:
        super().__init__("waiting")
        self.outage = store.outage
        self._store = store
        self._waiters: dict[int, set[asyncio.Future[Ending]]] = {}
        self._urgent: set[int] = set()
        self._fresh: set[int] = set()  # nobody has looked yet whether there is such an operation
        self._pause = SHORTEST
        self._look_at = self._rested = self._waited_at = -math.inf  # by the loop's clock
        self._asked_at = -math.inf
        self._watcher = ends_watcher_for(store.engine, self._told)
        if self._watcher is not None:
            self._watcher.outage = store.outage

    async def wait(self, operation: int) -> Ending:
        """The end of an operation, whenever it comes. Raises OperationNotFound when it cannot come: there is no record of it."""
        future: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(operation, set()).add(future)
        self._fresh.add(operation)
        self._urgent.add(operation)
        self._pause = SHORTEST
        self._look_in(SHORTEST)
        await self.start()
        try:
            return await future
        finally:
            self._forget(operation, future)

    def ended(self, operations: Collection[int]) -> None:
        """These have just ended here: whoever waits for one of them need not wait for the next poll."""
        if self._waiters and (known := self._waiters.keys() & operations):
            self._urgent |= known
            self.wake()

    async def run_once(self) -> float:
        """Look once: at all who wait if that is due, else at what is urgent."""
        if not self._waiters:
            self.outage.leaves(self)  # who asks nothing does not know whether the database is back
            return await self._linger()
        self._waited_at = _now()
        await self._look_as_due()
        await self._refuse_unknown()
        if not self._waiters:
            return await self._linger()
        await self._ask()
        return max(self._look_at - _now(), 0.0)

    async def stop(self) -> None:
        """End the loop; whoever still waits is told."""
        await super().stop()
        if self._watcher is not None:
            await self._watcher.stop()
        for future in {future for futures in self._waiters.values() for future in futures}:
            if not future.done():
                future.set_exception(StoreError("the application was closed while somebody waited for this operation"))
        self._waiters.clear()

    async def _look_as_due(self) -> None:
        if _now() < self._look_at:
            await self._look(self._urgent & self._waiters.keys())
        else:
            await self._look_at_all()

    async def _look_at_all(self) -> None:
        """Looks follow each other at growing pauses while nothing ends."""
        begun, many = _now(), len(self._waiters)
        ended = await self._look(self._waiters.keys())
        self._rested = _now() + max(REST * (_now() - begun), many / ROWS_A_SECOND)
        self._pause = SHORTEST if ended else min(self._pause * 1.5, LONGEST)
        self._look_at = max(_now() + self._pause, self._rested)

    async def _look(self, operations: Collection[int]) -> int:
        """Ask for the ends of these, and tell them; how many there are."""
        asked, found = list(operations), 0
        self._urgent.difference_update(asked)
        for first in range(0, len(asked), MOST_AT_ONCE):
            ended = await self._store.operations.ended(asked[first : first + MOST_AT_ONCE])
            found += len(ended)
            for operation, ending in ended.items():
                for future in self._waiting_for(operation):
                    future.set_result(ending)
        return found

    async def _linger(self) -> float:
        """Nobody waits. After a minute of that the connection that listens is let go; the next one who waits makes another."""
        left = self._waited_at + LINGER - _now()
        if left <= 0 and self._watcher is not None:
            self._asked_at = -math.inf
            await self._watcher.stop()
        return left if left > 0 else LINGER

    async def _ask(self) -> None:
        """Listen for ends in other processes, and let them know that somebody does."""
        now = _now()
        if self._watcher is None or now < self._asked_at + ASK_PERIOD:
            return
        self._asked_at = now
        await self._watcher.start()
        await self._store.engine.ask_for_ends()

    def _told(self) -> None:
        """Some operations have ended somewhere."""
        if self._waiters:
            self._look_in(0.0)

    def _look_in(self, seconds: float) -> None:
        """Look at all in so many seconds, if not before, and not without the rest after the last look."""
        self._look_at = min(self._look_at, max(_now() + seconds, self._rested))
        self.wake()

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
            self._fresh.discard(operation)
            self._urgent.discard(operation)


def _now() -> float:
    return asyncio.get_running_loop().time()

"""A line of tasks that want to write to one SQLite file, in which it can be seen whether anybody stands."""

from __future__ import annotations

import asyncio


class Line:
    """A lock. ``length``: of those who hold it or wait for it; one that is just being handed over is locked by nobody."""

    def __init__(self) -> None:
        self.length = 0
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> None:
        self.length += 1
        try:
            await self._lock.acquire()
        except BaseException:
            self.length -= 1
            raise

    async def __aexit__(self, *_: object) -> None:
        self.length -= 1
        self._lock.release()

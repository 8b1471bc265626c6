"""An application's connection, used alike whether its library is awaited or not."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any

from opwright import Opwright
from opwright.operations.call import Call
from opwright.store.engine import Plan
from opwright.store.foreign import Foreign, recognise
from tests.foreign.ways import Open, Way


class Caller:
    """Synchronous libraries live in a thread of their own, where no event loop runs, as their applications do."""

    def __init__(self, way: Way, thread: ThreadPoolExecutor | None) -> None:
        self.on = way.on
        self._way = way
        self._thread = thread

    @property
    def is_async(self) -> bool:
        return self._thread is None

    async def do(self, work: Callable[[], Any]) -> Any:
        """Do something with the connection, where it lives."""
        if self._thread is None:
            return await work()
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def run(self, sql: str) -> None:
        await self.do(lambda: self._way.run(sql))

    async def begin(self) -> None:
        await self.do(self._way.begin)

    async def commit(self) -> None:
        await self.do(self._way.commit)

    async def rollback(self) -> None:
        await self.do(self._way.rollback)

    async def make(self, ask: Callable[[], Call[Any]]) -> Any:
        """Make a request, as an application of this library would."""
        if self._thread is None:
            return await ask()
        return await self.do(lambda: ask().now())

    async def play(self, plan: Plan[Any], ops: Opwright) -> Any:
        """Run a plan of the test's own."""
        return await self.do(lambda: self._foreign_play(recognise(self.on, ops.client.shape), plan))

    def _foreign_play(self, foreign: Foreign, plan: Plan[Any]) -> Any:
        assert foreign.is_async == self.is_async
        return foreign.play_async(plan) if foreign.is_async else foreign.play(plan)


@asynccontextmanager
async def calling(opens: Open, url: str) -> AsyncIterator[Caller]:
    """A connection of the application, closed at the end."""
    opened = opens(url)
    if not isinstance(opened, AbstractContextManager):
        async with opened as way:
            yield Caller(way, None)
        return
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as thread:
        way = await loop.run_in_executor(thread, opened.__enter__)
        try:
            yield Caller(way, thread)
        finally:
            await loop.run_in_executor(thread, opened.__exit__, None, None, None)

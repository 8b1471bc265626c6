"""Oban for Python at work."""

import asyncio
from collections.abc import Sequence
from typing import Any

from oban import Oban, worker
from oban.schema import install_sql

from benchmarks.peers.programs.common import SETTINGS, URL, Program, ran, run


class Nothing:
    async def process(self, job: Any) -> None:
        ran(job.args["number"])


nothing: Any = worker(queue="default")(Nothing)  # which gives the class what makes jobs of it


class ObanProgram(Program):
    async def set_up(self) -> None:
        pool = await self._pool()
        async with pool.connection() as connection:
            await connection.execute(install_sql())

    async def open(self) -> None:
        self.oban = await self.held.enter_async_context(Oban(pool=await self._pool()))

    async def submit_many(self, numbers: Sequence[int]) -> None:
        await self.oban.enqueue_many(nothing.new({"number": number}) for number in numbers)

    async def submit(self, number: int) -> None:
        await self.oban.enqueue(nothing.new({"number": number}))

    async def work(self) -> None:
        async with Oban(pool=await self._pool(), queues={"default": SETTINGS["limit"]}):
            await asyncio.Event().wait()

    async def _pool(self) -> Any:
        return await self.held.enter_async_context(await Oban.create_pool(URL, max_size=SETTINGS["pool"]))


if __name__ == "__main__":
    run(ObanProgram())

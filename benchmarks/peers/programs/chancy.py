"""Chancy at work."""

import logging
from collections.abc import Sequence

from chancy import Chancy, Queue, Worker, job

from benchmarks.peers.programs.common import SETTINGS, URL, Program, ran, run

QUEUE = "default"
QUIET = logging.getLogger("quiet")  # by default it tells of every job, and that would be measured too


@job(queue=QUEUE)
async def nothing(*, number: int) -> None:
    ran(number)


class ChancyProgram(Program):
    async def set_up(self) -> None:
        async with Chancy(URL, log=QUIET) as chancy:
            await chancy.migrate()
            await chancy.declare(
                Queue(
                    QUEUE,
                    concurrency=SETTINGS["concurrency"],
                    executor=Chancy.Executor.Async,
                    polling_interval=SETTINGS["polling_interval"],
                    eager_polling=SETTINGS["eager_polling"],
                )
            )

    async def open(self) -> None:
        self.chancy = await self.held.enter_async_context(Chancy(URL, log=QUIET))

    async def submit_many(self, numbers: Sequence[int]) -> None:
        jobs = [nothing.job.with_kwargs(number=number) for number in numbers]
        async for _ in self.chancy.push_many(jobs):
            pass

    async def submit(self, number: int) -> None:
        await self.chancy.push(nothing.job.with_kwargs(number=number))

    async def work(self) -> None:
        async with Chancy(URL, log=QUIET) as chancy, Worker(chancy) as worker:
            await worker.wait_for_shutdown()


if __name__ == "__main__":
    run(ChancyProgram())

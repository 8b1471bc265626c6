"""Chancy at work."""

from collections.abc import Sequence

from chancy import Chancy, Queue, Worker, job

from benchmarks.peers.programs.common import SETTINGS, URL, Program, ran, run

QUEUE = "default"


@job(queue=QUEUE)
async def nothing(*, number: int) -> None:
    ran(number)


class ChancyProgram(Program):
    async def set_up(self) -> None:
        async with Chancy(URL) as chancy:
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
        self.chancy = await Chancy(URL).__aenter__()

    async def submit_many(self, numbers: Sequence[int]) -> None:
        jobs = [nothing.job.with_kwargs(number=number) for number in numbers]
        async for _ in self.chancy.push_many(jobs):
            pass

    async def submit(self, number: int) -> None:
        await self.chancy.push(nothing.job.with_kwargs(number=number))

    async def work(self) -> None:
        async with Chancy(URL) as chancy, Worker(chancy) as worker:
            await worker.wait_for_shutdown()


if __name__ == "__main__":
    run(ChancyProgram())

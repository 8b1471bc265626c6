"""DBOS at work."""

import asyncio
from collections.abc import Sequence

from dbos import DBOS, DBOSClient

from benchmarks.peers.programs.common import SETTINGS, URL, Program, ran, run

QUEUE = "bench"
AT_ONCE = 20


@DBOS.workflow(name="nothing")
async def nothing(number: int) -> None:
    ran(number)


class DbosProgram(Program):
    async def set_up(self) -> None:
        await asyncio.to_thread(_launch)
        await asyncio.to_thread(DBOS.destroy)

    async def open(self) -> None:
        self.client = DBOSClient(system_database_url=URL)

    async def submit_many(self, numbers: Sequence[int]) -> None:
        for first in range(0, len(numbers), AT_ONCE):
            await asyncio.gather(*map(self.submit, numbers[first : first + AT_ONCE]))

    async def submit(self, number: int) -> None:
        await self.client.enqueue_async({"queue_name": QUEUE, "workflow_name": "nothing"}, number)

    async def work(self) -> None:
        await asyncio.to_thread(_launch)
        await asyncio.Event().wait()


def _launch() -> None:
    """A process that works; its queue is written down with the first."""
    size = SETTINGS["sys_db_pool_size"]
    DBOS(config={"name": "bench", "system_database_url": URL, "sys_db_pool_size": size, "log_level": "WARNING"})
    DBOS.launch()
    DBOS.register_queue(
        QUEUE, worker_concurrency=SETTINGS["worker_concurrency"], polling_interval_sec=SETTINGS["polling_interval_sec"]
    )


if __name__ == "__main__":
    run(DbosProgram())

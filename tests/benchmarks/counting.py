"""A peer of nothing but a file: what the programs of peers share can be tried without installing one."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO

from benchmarks.peers.programs.common import SETTINGS, URL, Program, ran, run

QUEUE = Path(URL)


class Counting(Program):
    async def set_up(self) -> None:
        _opened().close()

    async def open(self) -> None:
        if SETTINGS.get("broken"):
            raise RuntimeError("the server is not there")
        self.queue = self.held.enter_context(_opened())
        await self.held.enter_async_context(_clinging())

    async def submit_many(self, numbers: Sequence[int]) -> None:
        self.queue.writelines(f"{number}\n" for number in numbers)

    async def submit(self, number: int) -> None:
        await self.submit_many([number])

    def work(self) -> None:
        for number in QUEUE.read_text().split():
            ran(int(number))
        if SETTINGS.get("stays"):
            signal.pause()


@asynccontextmanager
async def _clinging() -> AsyncIterator[None]:
    """A pool as some drivers have it: it ends when it is closed, and hears of no cancellation."""
    closed = asyncio.Event()

    async def cling() -> None:
        while not closed.is_set():
            with suppress(asyncio.CancelledError):
                await closed.wait()

    clinging = asyncio.create_task(cling())
    await asyncio.sleep(0)
    yield
    closed.set()
    await clinging


def _opened() -> IO[str]:
    return QUEUE.open("a")


if __name__ == "__main__":
    run(Counting())

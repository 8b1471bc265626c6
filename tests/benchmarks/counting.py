"""A peer of nothing but a file: what the programs of peers share can be tried without installing one."""

import signal
from collections.abc import Sequence
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
        self.queue = _opened()

    async def submit_many(self, numbers: Sequence[int]) -> None:
        self.queue.writelines(f"{number}\n" for number in numbers)

    async def submit(self, number: int) -> None:
        await self.submit_many([number])

    def work(self) -> None:
        for number in QUEUE.read_text().split():
            ran(int(number))
        if SETTINGS.get("stays"):
            signal.pause()


def _opened() -> IO[str]:
    return QUEUE.open("a")


if __name__ == "__main__":
    run(Counting())

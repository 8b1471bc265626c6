"""An application that caches a price, and a process of it that follows.

``python -m benchmarks.shelf ADDRESS WATCHER`` writes the moment of each invalidation there, until its input ends.
"""

import asyncio
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

from benchmarks.loop import run
from opwright import Opwright


@dataclass(frozen=True)
class SetPrice:
    cents: int


class Shelf:
    """``set_at``: when the last price was set in this process, with nothing left but the commit; on the machine's clock."""

    def __init__(self, url: str, watcher: str) -> None:
        self.ops = ops = Opwright(url, log_watcher=watcher)
        self.set_at = 0

        @ops.computed
        async def price() -> int:
            return 0

        @ops.command
        async def set_price(command: SetPrice) -> None:  # noqa: ARG001 - what is measured is the way of the news
            self.set_at = time.monotonic_ns()

        @set_price.invalidates
        def stale(command: SetPrice) -> None:  # noqa: ARG001 - there is one price
            price.invalidate()

        self.price = price


async def follow(url: str, watcher: str) -> None:
    """Write a first line when the price is cached, and one for each time it is no longer valid."""
    shelf = Shelf(url, watcher)
    async with shelf.ops:
        cached = await shelf.price.computed()
        print("ready", flush=True)
        while True:
            await cached.when_invalidated()
            print(time.monotonic_ns(), flush=True)
            cached = await shelf.price.computed()


async def until_told(url: str, watcher: str) -> None:
    """Follow until the input ends."""
    following = asyncio.create_task(follow(url, watcher))
    await asyncio.to_thread(sys.stdin.read)
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following


if __name__ == "__main__":
    run(until_told(*sys.argv[1:]))

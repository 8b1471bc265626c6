"""A process that listens: writes the moment of each wake, until its input ends. ``deaf``: no bell rings for it."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.loop import run
from opwright import DbLogWatcher
from opwright.clock import SystemClock
from opwright.commands.origin import Origin
from opwright.store.store import engine_for
from opwright.watch.bell import Bell
from opwright.watch.log_watchers import choice


@asynccontextmanager
async def watcher_of(where: str) -> AsyncIterator[DbLogWatcher]:
    """A watcher of this process at an address: that of a PostgreSQL database, or one that the setting takes."""
    if not where.startswith("postgresql:"):
        yield choice(where)(engine_for("sqlite:///never.db", SystemClock()), Origin())
        return
    engine = engine_for(where, SystemClock())
    await engine.open()
    try:
        yield choice("auto")(engine, Origin())
    finally:
        await engine.close()


async def listen(where: str) -> None:
    """Until the input ends."""
    async with watcher_of(where) as watcher:
        await watcher.start(lambda: print(time.monotonic_ns(), flush=True))
        await asyncio.to_thread(sys.stdin.read)
        await watcher.stop()


if __name__ == "__main__":
    if "deaf" in sys.argv:
        Bell.at = lambda *_: None  # type: ignore[method-assign]
    run(listen(sys.argv[1]))

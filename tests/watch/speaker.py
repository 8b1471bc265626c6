"""A process that has committed: tells the others through the watcher of an address, and ends."""

import asyncio
import sys

from opwright.clock import SystemClock
from opwright.commands.origin import Origin
from opwright.store.store import engine_for
from opwright.watch.log_watchers import choice


async def main(where: str) -> None:
    """Commit once."""
    database = where if where.startswith("postgresql:") else "sqlite:///speaker.db"
    engine = engine_for(database, SystemClock())
    if database is where:
        await engine.open()
    watcher = choice("auto" if database is where else where)(engine, Origin())
    await watcher.start(lambda: None)
    await watcher.changed()
    await watcher.stop()
    await engine.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

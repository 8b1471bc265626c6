"""A host waits for a database that is there but not ready. One that is not there at all is told at once: its address is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from opwright.errors import StoreBusy, StoreStarting
from opwright.service import backoff_pause
from opwright.telemetry import emit, logger

T = TypeVar("T")
SECONDS = 60.0
NOT_YET = (StoreBusy, StoreStarting)  # another program holds the SQLite file; PostgreSQL starts up, or recovers after a crash


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """``work``, again while the database is not ready, for a minute at most. Says once what it waits for."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SECONDS
    failures = 0
    while True:
        try:
            return await work()
        except NOT_YET as error:
            failures += 1
            pause = backoff_pause(failures)
            if loop.time() + pause > deadline:
                raise
            if failures == 1:
                emit("start.waits", error=error)
                logger.warning("waiting for the database, %g s at most: %s", SECONDS, error)
            await asyncio.sleep(pause)

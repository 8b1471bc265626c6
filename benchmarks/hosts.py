"""Hosts to measure: one in this process, one in a process of its own."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Unpack

import msgspec
import psutil

from benchmarks.application import Application
from opwright import Handle, Host
from opwright.settings import Overrides

WARM_UP = 500  # operations, so that statements are prepared and triggers measured before the clock starts


@asynccontextmanager
async def host_here(application: Application, **settings: Unpack[Overrides]) -> AsyncIterator[Host]:
    """A host in this event loop, warm and idle."""
    async with application.ops.host(**settings) as host:
        await heated(host)
        await warm_up(application)
        yield host


@asynccontextmanager
async def host_apart(application: Application, **settings: Unpack[Overrides]) -> AsyncIterator[psutil.Process]:
    """A host in a process of its own on the same database, warm and idle."""
    command = [sys.executable, "-m", "benchmarks.worker", msgspec.json.encode(settings).decode()]
    process = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        if await asyncio.to_thread(process.stdout.readline) != "ready\n":
            raise RuntimeError("the host did not start; what it said stands above")
        async with application.ops:
            await warm_up(application)
            yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.communicate)


async def heated(host: Host) -> None:
    """Wait until no worker is pending."""
    while host.pending():  # noqa: ASYNC110 - a host has no event for it
        await asyncio.sleep(0.01)


async def warm_up(application: Application) -> None:
    """Have some operations done, then let everything come to rest."""
    await drained(application, WARM_UP)
    await asyncio.sleep(0.3)


async def drained(application: Application, count: int) -> float:
    """Submit in one transaction; the seconds from its commit until every operation has ended."""
    last = (await application.nothing.submit_many([(number,) for number in range(count)]))[-1]
    return await ended(application, last)


async def ended(application: Application, last: Handle[None]) -> float:
    """The seconds until every operation has ended; ``last`` was submitted last."""
    committed = time.perf_counter()
    await last.result()
    seconds = time.perf_counter() - committed
    while await _unended(application):  # the last to be submitted is rarely not the last to end
        seconds = time.perf_counter() - committed
        await asyncio.sleep(0.001)
    return seconds


async def _unended(application: Application) -> int:
    counts = await (await application.ops.client.store()).operations.counts()
    return sum(count for status, count in counts.items() if not status.ended)

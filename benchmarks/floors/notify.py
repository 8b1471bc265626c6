"""Floors of waking up through PostgreSQL: a notification there and back, and an insert until somebody has claimed it."""

import asyncio
import time
from typing import Any

from benchmarks.bench import Bench
from benchmarks.figures import Figure, measure, waits
from benchmarks.floors.tables import CLAIM, POSTGRESQL, connect
from benchmarks.gaps import gap

CHANNEL = "bench"
NOTIFIED = f"""
with made as (insert into operations values ($1, 1, 'nothing', 'default', '{{"number": 1}}') returning id),
queued as (insert into ready select 'default', 0, id from made)
select pg_notify('{CHANNEL}', '')
"""


@measure("floor.postgresql.notify")
async def notify(bench: Bench) -> list[Figure]:
    """From the call of NOTIFY until another connection has heard it."""
    with bench.database("postgresql") as url:
        sender, listener = await connect(url), await connect(url)
        heard = asyncio.Event()
        await listener.add_listener(CHANNEL, lambda *_: heard.set())
        seconds = [await _round(sender, heard) for _ in range(bench.amount(200, 20))]
        await sender.close()
        await listener.close()
    return [waits("floor.postgresql.notify", seconds)]


@measure("floor.postgresql.pickup", "floor.postgresql.pickup.returned")
async def pickup(bench: Bench) -> list[Figure]:
    """From the call of an insert that notifies (and from its return) until a listener holds the claimed row."""
    with bench.database("postgresql") as url:
        sender, listener, claimer = await connect(url), await connect(url), await connect(url, flush=False)
        await sender.execute(POSTGRESQL)
        heard = asyncio.Event()
        await listener.add_listener(CHANNEL, lambda *_: heard.set())
        claim, submit = await claimer.prepare(CLAIM), await sender.prepare(NOTIFIED)
        pairs = [await _pick_up(submit, one, heard, claim) for one in range(bench.amount(200, 20))]
        for connection in (sender, listener, claimer):
            await connection.close()
    called, returned = zip(*pairs, strict=True)
    return [waits("floor.postgresql.pickup", called), waits("floor.postgresql.pickup.returned", returned)]


async def _round(sender: Any, heard: asyncio.Event) -> float:
    await gap()
    heard.clear()
    called = time.perf_counter()
    await sender.execute(f"notify {CHANNEL}")
    await heard.wait()
    return time.perf_counter() - called


async def _pick_up(submit: Any, one: int, heard: asyncio.Event, claim: Any) -> tuple[float, float]:
    async def claimed() -> float:
        await heard.wait()
        assert await claim.fetch(100, one)
        return time.perf_counter()

    await gap()
    heard.clear()
    listening = asyncio.create_task(claimed())
    called = time.perf_counter()
    await submit.fetch(one)
    returned = time.perf_counter()
    started = await listening
    return started - called, started - returned

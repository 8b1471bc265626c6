"""The floor of a drain on PostgreSQL: claim a thousand while the thousand before is being ended, nothing in between."""

import asyncio
import time

from benchmarks.bench import Bench
from benchmarks.figures import Figure, measure, rate
from benchmarks.floors.tables import CLAIM, FILL, FINISH, POSTGRESQL, connect

BATCH = 1000


@measure("floor.postgresql.queue")
async def postgresql_queue(bench: Bench) -> list[Figure]:
    count = bench.amount(50_000, 10_000)
    return [rate("floor.postgresql.queue", await _drained(bench, count))]


async def _drained(bench: Bench, count: int) -> float:
    with bench.database("postgresql") as url:
        # A lost claim only returns its operations, so claims need not wait for the disk.
        claims, ends = await connect(url, flush=False), await connect(url)
        await ends.execute(POSTGRESQL)
        await ends.execute(FILL.replace("$1", str(count)))
        claim, finish = await claims.prepare(CLAIM), await ends.prepare(FINISH)
        started, token = time.perf_counter(), 1
        rows = await claim.fetch(BATCH, token)
        while rows:
            ended = finish.fetch([row[0] for row in rows], token)
            token += 1
            rows, _ = await asyncio.gather(claim.fetch(BATCH, token), ended)
        seconds = time.perf_counter() - started
        assert await ends.fetchval("select count(*) from outcomes") == count
        await claims.close()
        await ends.close()
    return count / seconds

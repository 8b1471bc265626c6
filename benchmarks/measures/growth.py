"""What becomes of claims and drains when much lies in the tables: waiting, delayed, ended, dead, or held by an old snapshot."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from benchmarks.application import Application
from benchmarks.bench import Bench
from benchmarks.figures import Figure, measure, rate, waits
from benchmarks.goals import at_least, at_most
from benchmarks.hosts import WARM_UP
from opwright.model.ids import new_id
from opwright.store.store import Store

REQUESTS = """
insert into opwright.operations (id, created, priority, trigger, queue, inputs)
select n, 1, 0, 'nothing', 'default', '{"number": 1}' from generate_series(1, $1::bigint) n"""
READY = "insert into opwright.ready select 'default', 0, n, 0, 0, 'nothing' from generate_series(1, $1::bigint) n"
DELAYED = """
insert into opwright.delayed select n, 4000000000000000, 1, 0, 0, 0, 'default', 'nothing' from generate_series(1, $1::bigint) n"""
ENDED = "insert into opwright.outcomes select n, 2, 1, 1, 1, 1 from generate_series(1, $1::bigint) n"
CLAIMED = "insert into opwright.claimed select n, 1, 1, 0, 0, false from generate_series(1, $1::bigint) n"
GONE = ("delete from opwright.ready where $1::bigint > 0", "delete from opwright.claimed where $1::bigint > 0")
KEPT = (
    "alter table opwright.ready set (autovacuum_enabled = off)",
    "alter table opwright.claimed set (autovacuum_enabled = off)",
)
FILLS: dict[str, tuple[str, ...]] = {
    "empty": (),
    "ready": (REQUESTS, READY),
    "delayed": (REQUESTS, DELAYED),
    "ended": (REQUESTS, ENDED),
    "dead": (*KEPT, READY, CLAIMED, *GONE),
    "held": (),
}
BATCH, CLAIMS = 20, 100


def _measured(state: str) -> None:
    """Register the measure of one state."""
    claims, drain = f"growth.claim.{state}", f"growth.drain.{state}"
    beside = state != "empty"

    @measure(claims, drain, floors=["growth.claim.empty"] if beside else [], once=True)
    async def run(bench: Bench) -> list[Figure]:
        with bench.database("postgresql") as url:
            application = Application.on(url)
            async with application.ops, _filled(url, state, bench.amount(1_000_000, 20_000)):
                seconds = await _claims(await application.ops.client.store(), application)
                drained = await _drained(application, bench.amount(100_000, 5_000))
        if not beside:
            return [waits(claims, seconds), rate(drain, drained)]
        return [  # within 20 % of empty
            waits(claims, seconds, floor="growth.claim.empty", goals=(at_most(1.2, "growth.claim.empty", part="p99"),)),
            rate(drain, drained, floor="growth.drain.empty", goals=(at_least(0.8, "growth.drain.empty"),)),
        ]


for _state in FILLS:
    _measured(_state)


@asynccontextmanager
async def _filled(url: str, state: str, count: int) -> AsyncIterator[None]:
    """The tables with so many rows of a kind; ``held``: with a transaction beside whose snapshot stays open."""
    connection = await asyncpg.connect(url)
    for statement in FILLS[state]:
        await connection.execute(statement, *([count] if "$1" in statement else []))
    await connection.execute("analyze" if state == "dead" else "vacuum (analyze)")  # else autovacuum would do it meanwhile
    await connection.execute("checkpoint")
    snapshot = connection.transaction(isolation="repeatable_read")
    if state == "held":
        await snapshot.start()
        await connection.execute("select count(*) from opwright.hosts")
    try:
        yield
    finally:
        await connection.close()


async def _claims(store: Store, application: Application) -> list[float]:
    """Seconds of each of many small claims. What is submitted here has priority, and stays claimed."""
    host = await store.hosts.register(name="bench", pid=1, version="1", lease=3600, queues=None, triggers=["nothing"])
    await _submitted(application, BATCH * (CLAIMS + 10))
    return [await _claim(store, host.id) for _ in range(CLAIMS + 10)][10:]


async def _claim(store: Store, host: int) -> float:
    started = time.perf_counter()
    claims = await store.queue.claim(host=host, token=new_id(), queue="default", triggers=["nothing"], limit=BATCH)
    seconds = time.perf_counter() - started
    assert len(claims) == BATCH
    return seconds


async def _drained(application: Application, count: int) -> float:
    """How many a second a host ends of what goes before everything that lay there."""
    async with application.ops.host(pool="inline"):
        await (await _submitted(application, WARM_UP)).result()
        started = time.perf_counter()
        last = await _submitted(application, count)
        await last.result()
        return count / (time.perf_counter() - started)


async def _submitted(application: Application, count: int) -> Any:
    handles = await application.nothing.options(priority=1).submit_many([(number,) for number in range(count)])
    return handles[-1]

"""What becomes of claims and drains when much lies in the tables: waiting, delayed, ended, dead, or held by an old snapshot."""

import functools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
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
    "ready": (REQUESTS, READY),
    "delayed": (REQUESTS, DELAYED),
    "ended": (REQUESTS, ENDED),
    "dead": (*KEPT, READY, CLAIMED, *GONE),
    "held": (),
}
BATCH, CLAIMS, BLOCKS, WARM, DRAINS = 20, 100, 5, 10, 3


def _measured(state: str) -> None:
    """Register the measure of one state, beside empty tables in another database of the same server.

    Claims and drains take turns, for the machine is not the same in every minute.
    """
    claim, drain = f"growth.claim.{state}", f"growth.drain.{state}"
    goals = at_most(1.2, f"{claim}.empty", part="p99"), at_least(0.8, f"{drain}.empty")  # within 20 %

    @measure(claim, f"{claim}.empty", drain, f"{drain}.empty", once=True)
    async def run(bench: Bench) -> list[Figure]:
        rows, count = bench.amount(1_000_000, 20_000), bench.amount(50_000, 5_000)
        async with _tables(bench, state, rows) as full, _tables(bench, "empty", 0) as empty:
            claims = await _claims(full, empty)
            drains = [[await _drained(one, count) for one in (full, empty)] for _ in range(DRAINS)]
        drained, beside = (_joined([rate(drain, one) for one in rates]) for rates in zip(*drains, strict=True))
        claimed, claimed_beside = (
            _joined([waits(claim, one[at : at + CLAIMS]) for at in range(0, len(one), CLAIMS)]) for one in claims
        )
        return [
            replace(claimed, floor=f"{claim}.empty", goals=goals[:1]), replace(claimed_beside, name=f"{claim}.empty"),
            replace(drained, floor=f"{drain}.empty", goals=goals[1:]), replace(beside, name=f"{drain}.empty"),
        ]  # fmt: skip


for _state in FILLS:
    _measured(_state)


def _joined(figures: list[Figure]) -> Figure:
    """As of several rounds: one pause of the machine would decide the p99 of all claims together."""
    return functools.reduce(lambda before, one: one.joined(before), figures)


@asynccontextmanager
async def _tables(bench: Bench, state: str, count: int) -> AsyncIterator[Application]:
    with bench.database("postgresql") as url:
        application = Application.on(url)
        async with application.ops, _filled(url, state, count):
            yield application


@asynccontextmanager
async def _filled(url: str, state: str, count: int) -> AsyncIterator[None]:
    """The tables with so many rows of a kind; ``held``: with a transaction beside whose snapshot stays open."""
    connection = await asyncpg.connect(url)
    for statement in FILLS.get(state, ()):
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


async def _claims(*applications: Application) -> tuple[list[float], ...]:
    """Seconds of each of many small claims, in turn. What is submitted here has priority, and stays claimed."""
    seconds: tuple[list[float], ...] = tuple([] for _ in applications)
    hosts = []
    for application in applications:
        store = await application.ops.client.store()
        host = await store.hosts.register(name="bench", pid=1, version="1", lease=3600, queues=None, triggers=["nothing"])
        await _submitted(application, BATCH * (CLAIMS * BLOCKS + WARM))
        hosts.append((store, host.id))
    for _ in range(CLAIMS * BLOCKS + WARM):
        for (store, identifier), taken in zip(hosts, seconds, strict=True):
            taken.append(await _claim(store, identifier))
    return tuple(taken[WARM:] for taken in seconds)


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

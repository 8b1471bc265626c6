"""What is measured of every peer, under the names that Opwright's own figures have. Importing this registers it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from benchmarks.bench import Bench
from benchmarks.figures import RATE, Figure, measure, rate, waits
from benchmarks.idleness import CORE, idleness
from benchmarks.patience import until
from benchmarks.peers.peer import Peer
from benchmarks.peers.running import Program
from benchmarks.peers.stores import analyzed, fresh, watched
from benchmarks.peers.table import PEERS

BEGIN = 30.0  # seconds within which a worker begins its first job
DRAIN = 240.0  # and ends its last: many times what it takes on a quiet machine
WARM = 2  # jobs before the samples


async def drain(bench: Bench, peer: Peer) -> list[Figure]:
    """The jobs are there before the worker starts: from the begin of the first until none is left that has not ended."""
    count = bench.amount(peer.jobs, peer.quick_jobs)
    async with _program(bench, peer) as program, watched(peer, program.url) as none_left:
        filled = await program.step("fill", count)
        await analyzed(peer, program.url)
        async with program.working(count):
            await until(lambda: bool(program.told()), seconds=BEGIN, what=f"{peer.name} to begin")
            if peer.tells_the_last:
                await until(lambda: program.told()[-1][0] == "last", seconds=DRAIN, what=f"{peer.name} to run all")
            step = 0.005 if peer.tells_the_last else 0.02  # the store is asked all the while: the less the better
            ended = await until(none_left, seconds=DRAIN, what=f"{peer.name} to end all", step=step)
        begun = min(moment for _, moment in program.told())
    submitted = [rate(f"submit.bulk.{peer.name}", count / filled)] if peer.bulk else []
    return [rate(f"drain.{peer.name}", count / (ended - begun)), *submitted]


async def single(bench: Bench, peer: Peer) -> list[Figure]:
    """One call after the other."""
    count = bench.amount(1000, 100)
    async with _program(bench, peer) as program:
        return [rate(f"submit.single.{peer.name}", count / await program.step("one-by-one", count))]


async def pickup(bench: Bench, peer: Peer) -> list[Figure]:
    """An idle worker in another process: from the call that submits, and from its return, until the job begins."""
    count = bench.amount(200, 20)
    async with _program(bench, peer) as program, program.working():
        await _warm(program)
        samples = await program.step("samples", count)
        await until(lambda: len(program.told()) >= count + WARM, seconds=BEGIN, what=f"{peer.name} to begin all")
        began = dict(program.told())
    pairs = [[began[str(number)] - moment / 1e9 for moment in moments] for number, *moments in samples]
    called, returned = zip(*pairs, strict=True)
    return [waits(f"pickup.{peer.name}", called), waits(f"pickup.{peer.name}.returned", returned)]


async def idle(bench: Bench, peer: Peer) -> list[Figure]:
    """A worker with nothing to do: processor time, and transactions where there is a PostgreSQL to ask."""
    async with _program(bench, peer) as program, program.working() as worker:
        await _warm(program)
        taken = await idleness(bench, psutil.Process(worker.pid), program.url)
    figures = [Figure(f"idle.{peer.name}.cpu", (taken.percent,), CORE)]
    if peer.store == "postgresql":
        figures.append(Figure(f"idle.{peer.name}.transactions", (taken.transactions,), RATE))
    return figures


@asynccontextmanager
async def _program(bench: Bench, peer: Peer) -> AsyncIterator[Program]:
    """The peer's program on an empty store, its tables made. Raises Unavailable."""
    with TemporaryDirectory(prefix="opwright-peer-") as folder:
        async with fresh(bench, peer) as url:
            program = await Program.of(peer, url, Path(folder))
            await program.step("set-up")
            yield program


async def _warm(program: Program) -> None:
    """Wait until the worker has begun a job, then let everything come to rest."""
    await program.step("one-by-one")
    await until(lambda: bool(program.told()), seconds=BEGIN, what=f"{program.peer.name} to begin")
    await asyncio.sleep(0.5)


def _register(peer: Peer) -> None:
    def register(of: Callable[[Bench, Peer], Coroutine[Any, Any, list[Figure]]], *names: str, once: bool = True) -> None:
        measure(*names, once=once, peer=peer.name)(lambda bench: of(bench, peer))

    name, often = peer.name, peer.every_round
    register(drain, f"drain.{name}", *([f"submit.bulk.{name}"] if peer.bulk else []), once=not often)
    register(single, f"submit.single.{name}", once=not often)
    register(pickup, f"pickup.{name}", f"pickup.{name}.returned", once=False)  # of tails one sample says nothing
    register(idle, f"idle.{name}.cpu", *([f"idle.{name}.transactions"] if peer.store == "postgresql" else []))


for _peer in PEERS:
    _register(_peer)

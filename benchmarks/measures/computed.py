"""What computed functions cost: a hit, an invalidation that reaches many, and the memory of a key."""

import gc
import time

import psutil

from benchmarks.bench import Bench
from benchmarks.expense import each
from benchmarks.figures import Figure, measure, waits
from benchmarks.goals import at_most
from opwright import ComputedFunction, Opwright

ADDRESS = "sqlite:///never.db"  # no database is opened
NODES = 10_000
SIDE = 100  # so many groups of so many


async def _number(number: int) -> int:
    return number


@measure("computed.hit", floors=["floor.memo"])
async def hit(bench: Bench) -> list[Figure]:
    """Processor time of a call whose value is cached."""
    read = Opwright(ADDRESS).computed(_number)
    costs = await each(read, bench.amount(200_000, 20_000))
    return [Figure("computed.hit", costs, "µs", floor="floor.memo", goals=(at_most(2),))]


@measure("computed.cascade")
async def cascade(_: Bench) -> list[Figure]:
    """The call of ``invalidate`` on one value that 100 were made from, and from each of those 100 others: 10,000 in all."""
    ops = Opwright(ADDRESS, max_entries=2 * NODES)

    @ops.computed
    async def root() -> int:
        return 1

    @ops.computed
    async def group(number: int) -> int:
        return number * await root()

    @ops.computed
    async def leaf(number: int) -> int:
        return number + await group(number % SIDE)

    seconds = []
    for _round in range(5):
        for number in range(NODES - SIDE - 1):
            await leaf(number)
        called = time.process_time()
        root.invalidate()
        seconds.append(time.process_time() - called)
    return [waits("computed.cascade", seconds)]


@measure("computed.keys")
async def keys(bench: Bench) -> list[Figure]:
    """Memory of a kept key, its argument and value included."""
    kept = bench.amount(100_000, 20_000)
    read = Opwright(ADDRESS, max_entries=kept).computed(_number)
    before = _private()
    await _ask(read, 0, kept)
    return [Figure("computed.keys", ((_private() - before) / kept,), "bytes")]


@measure("computed.keys.gone", once=True)
async def gone(bench: Bench) -> list[Figure]:
    """What each of a million different keys leaves behind, once the tables have the size of what is kept."""
    asked = bench.amount(1_000_000, 100_000)
    read = Opwright(ADDRESS).computed(_number)
    await _ask(read, 0, asked // 2)
    before = _private()
    await _ask(read, asked // 2, asked + asked // 2)
    return [Figure("computed.keys.gone", ((_private() - before) / asked,), "bytes", goals=(at_most(1),))]


async def _ask(read: ComputedFunction[[int], int], first: int, last: int) -> None:
    for number in range(first, last):
        await read(number)


def _private() -> int:
    gc.collect()
    size: int = psutil.Process().memory_full_info().uss
    return size

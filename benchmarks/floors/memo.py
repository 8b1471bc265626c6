"""Floor of a cached call: an async function that looks its arguments up in the dictionary of functools."""

import functools

from benchmarks.bench import Bench
from benchmarks.expense import each
from benchmarks.figures import Figure, measure


@functools.lru_cache
def _looked_up(number: int) -> int:
    return number


async def _cached(number: int) -> int:
    return _looked_up(number)


@measure("floor.memo")
async def memo(bench: Bench) -> list[Figure]:
    """Processor time of a call."""
    return [Figure("floor.memo", await each(_cached, bench.amount(200_000, 20_000)), "µs")]

"""What the machine itself takes: how often, and for how long, a loop that only reads the clock does not run."""

import time

from benchmarks.bench import Bench
from benchmarks.figures import Figure, measure, rate, waits

PAUSE = 0.0005  # seconds; what is shorter no percentile of a wait shows


@measure("floor.machine.pauses", "floor.machine.pause")
async def machine(bench: Bench) -> list[Figure]:
    """Of a second, and each. On a virtual machine it is mostly others that have the processor meanwhile."""
    seconds = bench.amount(5, 1)
    pauses = _pauses(seconds)
    return [rate("floor.machine.pauses", len(pauses) / seconds), waits("floor.machine.pause", pauses or [0.0])]


def _pauses(seconds: float) -> list[float]:
    pauses, last = [], time.perf_counter()
    end = last + seconds
    while last < end:
        now = time.perf_counter()
        if now - last > PAUSE:
            pauses.append(now - last)
        last = now
    return pauses

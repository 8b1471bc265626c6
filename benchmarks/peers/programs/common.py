"""What the programs of all Python peers share: their steps, the journal of what ran, and ending with the benchmark."""

import asyncio
import inspect
import itertools
import json
import os
import random
import signal
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any

URL = os.environ.get("PEER_URL", "")
SETTINGS = json.loads(os.environ.get("PEER_SETTINGS", "{}"))
BATCH = 1000


class Journal:
    """Where a worker tells what ran and when, by the clock that all processes of a machine share."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._numbers = itertools.count(1)  # its next() is one step, so threads may share it
        self._file = os.open(os.environ["PEER_JOURNAL"], os.O_WRONLY | os.O_APPEND)

    def ran(self, number: int) -> None:
        """A job began: tell of each, or of the first and the last where a number is expected."""
        now = time.monotonic_ns()
        if not self._expected:
            self._tell(str(number), now)
            return
        place = next(self._numbers)
        if place == 1:
            self._tell("first", now)
        if place == self._expected:
            self._tell("last", time.monotonic_ns())

    def _tell(self, label: str, now: int) -> None:
        os.write(self._file, f"{label} {now}\n".encode())


_journal: Journal  # of this worker


class Program(ABC):
    """One system: how it is set up, submits and works. A job has one input, its number, and calls ``ran`` with it.

    What a step opens, and its event loop would wait for, enters ``held``, which is closed when the step has been measured. A pool
    of psycopg that is not closed takes the cancellation at the end of the loop for a failed connection, and tries again for ever.
    """

    def __init__(self) -> None:
        self.held = AsyncExitStack()

    @abstractmethod
    async def set_up(self) -> None:
        """Make the tables."""

    @abstractmethod
    async def open(self) -> None:
        """Make ready to submit."""

    async def submit_many(self, numbers: Sequence[int]) -> None:
        """Submit these jobs in the fastest way there is."""
        for number in numbers:
            await self.submit(number)

    @abstractmethod
    async def submit(self, number: int) -> None:
        """Submit one job."""

    @abstractmethod
    def work(self) -> Coroutine[Any, Any, None] | None:
        """Work until the end; what has no event loop blocks here."""


def ran(number: int) -> None:
    """What the jobs do: next to nothing."""
    _journal.ran(number)


def run(program: Program) -> None:
    """Do the step that the command line names, and print what it measured."""
    step, count = sys.argv[1], int(sys.argv[2])
    threading.Thread(target=_end_with_the_benchmark, daemon=True).start()
    if step == "work":
        _work(program, count)
    else:
        print(json.dumps(_run(_measured(program, step, count))), flush=True)


async def _measured(program: Program, step: str, count: int) -> Any:
    async with program.held:
        return await _STEPS[step](program, count)


def _work(program: Program, count: int) -> None:
    global _journal  # noqa: PLW0603 - jobs are functions at the top of a module, so nothing else can reach them
    _journal = Journal(count)
    working = program.work()
    if inspect.iscoroutine(working):
        _run(working)


async def _set_up(program: Program, _: int) -> None:
    await program.set_up()


async def _fill(program: Program, count: int) -> float:
    """Submit in bulk, a thousand at a time; the seconds."""
    await program.open()
    started = time.perf_counter()
    for first in range(0, count, BATCH):
        await program.submit_many(range(first, min(first + BATCH, count)))
    return time.perf_counter() - started


async def _one_by_one(program: Program, count: int) -> float:
    """Submit one after the other; the seconds without the first, which opens connections."""
    await program.open()
    await program.submit(0)
    started = time.perf_counter()
    for number in range(count):
        await program.submit(number)
    return time.perf_counter() - started


async def _samples(program: Program, count: int) -> list[list[int]]:
    """Submit one now and then; number, and nanoseconds of the call and of its return."""
    await program.open()
    moments = []
    for number in range(-1, count):
        await asyncio.sleep(random.uniform(0.02, 0.04))  # everything falls idle, and nobody is in step
        called = time.monotonic_ns()
        await program.submit(number)
        moments.append([number, called, time.monotonic_ns()])
    return moments[1:]  # the first opened connections


_STEPS = {"set-up": _set_up, "fill": _fill, "one-by-one": _one_by_one, "samples": _samples}


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    if SETTINGS.get("loop") != "uvloop":
        return asyncio.run(coroutine)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)


def _end_with_the_benchmark() -> None:
    """Standard input ends with the benchmark, however that ended; then nothing of this session goes on."""
    while os.read(0, 1):
        continue
    os.killpg(0, signal.SIGKILL)

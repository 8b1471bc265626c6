"""The application of these tests. Its triggers write into the diary what they do; none of them knows Opwright's insides."""

import asyncio
import os
import signal
import sys
import time

import asyncpg

from opwright import OperationCancelled, Opwright
from opwright.app.target import Target
from tests.kit.diary import Diary

LOOK = 0.005  # seconds


def hold(name: str) -> int:
    """Run until the test says go. Blocks its worker, as synchronous code does."""
    diary = Diary.found()
    diary.write("start", name)
    while not diary.is_released(name):
        time.sleep(LOOK)
    diary.write("end", name)
    return os.getpid()


async def linger(name: str) -> int:
    """The same, asynchronously. Says so when it is cancelled."""
    diary = Diary.found()
    diary.write("start", name)
    try:
        while not diary.is_released(name):  # noqa: ASYNC110 - the gate is a file
            await asyncio.sleep(LOOK)
    except asyncio.CancelledError:
        diary.write("cancelled", name)
        raise
    diary.write("end", name)
    return os.getpid()


def stubborn(name: str) -> int:
    """Run until the test says go, whatever else it is asked, and wherever in the loop it is asked."""
    diary = Diary.found()
    diary.write("start", name)
    while True:
        try:
            while not diary.is_released(name):
                time.sleep(LOOK)
            return os.getpid()
        except OperationCancelled:
            diary.write("asked", name)


def poison(name: str) -> None:
    """Kill the process that runs it."""
    Diary.found().write("start", name)
    os.kill(os.getpid(), signal.SIGKILL)


def flaky(name: str, failures: int) -> int:
    """Raise so many times, then succeed; the number of the successful start."""
    diary = Diary.found()
    diary.write("start", name)
    starts = len(diary.lines("start", name))
    if starts <= failures:
        raise RuntimeError(f"failure {starts}")
    return starts


def note(name: str) -> None:
    """Write that it ran."""
    Diary.found().write("start", name)


def nap(seconds: float) -> None:
    """Block for a while."""
    time.sleep(seconds)


async def doze(seconds: float) -> None:
    """Wait for a while."""
    await asyncio.sleep(seconds)


def whoami() -> int:
    """Which process runs it."""
    return os.getpid()


async def double(number: int) -> int:
    """Next to nothing."""
    return 2 * number


async def stamp() -> float:
    """When it began, by the clock that all processes of a machine share."""
    return time.time()


_connection: asyncpg.Connection | None = None


async def record(number: int) -> None:
    """An effect that everybody can count: a row in a table without any key."""
    global _connection  # noqa: PLW0603 - each worker keeps one connection, as applications do
    if _connection is None:
        _connection = await asyncpg.connect(os.environ["OPWRIGHT_URL"])
    await _connection.execute("insert into effects values ($1, $2, $3)", number, os.getpid(), os.getppid())


class Older:
    """The application before it learnt most of its triggers."""

    module = "tests.kit.older"

    def __init__(self, url: str) -> None:
        self.ops = ops = Opwright(url)
        ops.found_at(Target(self.module, None, "ops", tuple(sys.path)))
        self.whoami = ops.operation(whoami)


class Application(Older):
    """The application."""

    module = "tests.kit.worker"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        ops = self.ops
        self.hold = ops.operation(hold)
        self.linger = ops.operation(linger)
        self.stubborn = ops.operation(stubborn)
        self.poison = ops.operation(poison)
        self.flaky = ops.operation(flaky)
        self.note = ops.operation(note)
        self.nap = ops.operation(nap)
        self.doze = ops.operation(doze)
        self.double = ops.operation(double)
        self.stamp = ops.operation(stamp)
        self.record = ops.operation(record)

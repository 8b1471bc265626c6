"""An application whose triggers do what hurts: hold the interpreter, end late, leave a transaction open."""

import asyncio
import ctypes
import os
import sys

import asyncpg

from opwright import Limit, OperationCancelled, Opwright, StaleClaim, operation
from opwright.app.target import Target
from tests.kit.application import Application
from tests.kit.diary import Diary

LOOK = 0.005  # seconds


def hog(name: str, seconds: float) -> int:
    """Hold the interpreter for so long, as an extension module does that never lets go: no other thread of the process runs.

    Only the first attempt does.
    """
    diary = Diary.found()
    diary.write("start", name)
    if diary.is_first(name):
        ctypes.PyDLL(None).usleep(round(seconds * 1e6))
    diary.write("end", name)
    return os.getpid()


async def zombie(name: str, way: str) -> int:
    """Run until the test lets this process go, then end in some way."""
    diary = Diary.found()
    diary.write("start", name)
    while not diary.is_released(name):  # noqa: ASYNC110 - the gate is a file
        await asyncio.sleep(LOOK)
    diary.write("end", name)
    if way == "fails":
        raise RuntimeError("late")
    if way == "waits":
        operation.wait(3600)
    if way == "tells":
        operation.log("late")
        operation.progress(0.5, "late")
    if way == "writes":
        await _write(diary, name)
    return os.getpid()


async def _write(diary: Diary, name: str) -> None:
    is_sqlite = os.environ["OPWRIGHT_URL"].startswith("sqlite")
    try:
        async with operation.transaction() as own:
            if is_sqlite:
                own.connection.execute("insert into charges values (?)", (os.getpid(),))
            else:
                await own.connection.execute("insert into charges values ($1)", os.getpid())
            own.returns(os.getpid())
    except StaleClaim:
        diary.write("stale", name)
        raise


async def undecided(name: str) -> int:
    """Write its end in a transaction of the application's, and leave that open until the test lets it go."""
    diary = Diary.found()
    connection = await asyncpg.connect(os.environ["OPWRIGHT_URL"])
    async with connection.transaction():
        async with operation.transaction(on=connection) as own:
            own.returns(os.getpid())
        diary.write("start", name)
        while not diary.is_released(name):  # noqa: ASYNC110 - the gate is a file
            await asyncio.sleep(LOOK)
    await connection.close()
    return 0


async def brief(name: str) -> int:
    """A few milliseconds, with a line about it."""
    try:
        await asyncio.sleep(0.003)
    except (asyncio.CancelledError, OperationCancelled):
        Diary.found().write("cancelled", name)
        raise
    Diary.found().write("done", name)
    return os.getpid()


class Unruly(Application):
    """The application: all that of other tests, and what hurts."""

    module = "tests.faults.worker"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        ops: Opwright = self.ops
        ops.found_at(Target(self.module, None, "ops", tuple(sys.path)))
        self.hog = ops.operation(hog)
        self.zombie = ops.operation(limit=Limit(1))(zombie)
        self.undecided = ops.operation(undecided)
        self.brief = ops.operation(brief)

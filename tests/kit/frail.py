"""Triggers that run too long, grow too large, or take their process with them."""

import asyncio
import ctypes
import os
import time

from opwright import operation
from tests.kit.application import LOOK, Application
from tests.kit.diary import Diary

MEGABYTE = 2**20


def breathe(name: str) -> int:
    """Run until the test says go, and give signs of life meanwhile."""
    diary = Diary.found()
    diary.write("start", name)
    while not diary.is_released(name):
        operation.touch()
        time.sleep(LOOK)
    return os.getpid()


async def breathe_too(name: str) -> int:
    """The same, asynchronously, by progress."""
    diary = Diary.found()
    diary.write("start", name)
    while not diary.is_released(name):
        operation.progress(0.5)
        await asyncio.sleep(LOOK)
    return os.getpid()


def deaf(name: str, seconds: float) -> None:
    """Hold the interpreter's lock: no thread of this process hears anything meanwhile."""
    Diary.found().write("start", name)
    ctypes.PyDLL(None).usleep(int(seconds * 1_000_000))


def segfault(name: str) -> None:
    """Read what is not there."""
    Diary.found().write("start", name)
    ctypes.string_at(1)


def leave(name: str) -> None:
    """End the process without a word."""
    Diary.found().write("start", name)
    os._exit(3)


def swell(name: str, megabytes: int) -> int:
    """Hold so much memory until the test says go."""
    diary = Diary.found()
    diary.write("start", name)
    held = b"x" * (megabytes * MEGABYTE)
    while not diary.is_released(name):
        time.sleep(LOOK)
    return len(held)


class Frail(Application):
    """The application with these."""

    module = "tests.kit.frail_worker"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        ops = self.ops
        self.breathe = ops.operation(breathe)
        self.breathe_too = ops.operation(breathe_too)
        self.deaf = ops.operation(deaf)
        self.segfault = ops.operation(segfault)
        self.leave = ops.operation(leave)
        self.swell = ops.operation(swell)

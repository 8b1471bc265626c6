"""A tiny application for worker processes: ``python -m tests.workers.application FD SLOTS``."""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import inspect
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from opwright.errors import InvalidOperation, OperationCancelled
from opwright.workers.process import serve
from opwright.workers.runner import Around

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="clean")


class Trigger:
    """A trigger as the layers above make it, without their checks."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.name = function.__name__
        self._decoder = msgspec.json.Decoder(dict[str, Any])
        self.is_async = inspect.iscoroutinefunction(function)
        self.capture = getattr(function, "capture", False)

    def decode(self, inputs: str) -> dict[str, Any]:
        return self._decoder.decode(inputs)

    def encode(self, result: Any) -> str | None:
        try:
            return None if result is None else msgspec.json.encode(result).decode()
        except TypeError as error:
            raise InvalidOperation(str(error)) from error


class Application:
    """A runner: every trigger by its name."""

    def __init__(self, *functions: Callable[..., Any]) -> None:
        self.triggers = {function.__name__: Trigger(function) for function in functions}

    def find(self, trigger: str) -> Trigger | None:
        return self.triggers.get(trigger)

    @property
    def arounds(self) -> tuple[Around, ...]:
        return ()

    async def set_up(self) -> None:
        pass

    async def tear_down(self) -> None:
        pass


def begin(path: str) -> None:
    """Tell the test, in another process perhaps, that this has begun."""
    if path:
        Path(path).touch()


def pid() -> int:
    return os.getpid()


async def noop() -> None:
    pass


async def double(number: int) -> int:
    return 2 * number


def double_now(number: int) -> int:
    return 2 * number


def sleep_now(seconds: float, path: str = "") -> str:
    begin(path)
    time.sleep(seconds)
    return "slept"


async def sleep(seconds: float, path: str = "") -> str:
    begin(path)
    await asyncio.sleep(seconds)
    return "slept"


LONGEST = 40.0  # seconds: a thread that nobody releases, because its test has failed, keeps pytest from ending


def stay_now(gate: str, path: str = "") -> str:
    """Keep the thread until the test makes the file."""
    begin(path)
    end = time.monotonic() + LONGEST
    while not Path(gate).exists() and time.monotonic() < end:
        time.sleep(0.002)
    return "stayed"


async def stay(gate: str, path: str = "") -> str:
    """The same, asynchronously."""
    begin(path)
    while not Path(gate).exists():  # noqa: ASYNC110, ASYNC240 - the gate is a file
        await asyncio.sleep(0.002)
    return "stayed"


def append(path: str, line: str) -> None:
    with Path(path).open("a") as file:
        file.write(line + "\n")


def overlap(path: str) -> bool:
    """Whether nobody else was in here at the same time."""
    lock = Path(path)
    lock.touch(exist_ok=False)
    time.sleep(0.001)
    lock.unlink()
    return True


async def swallow(seconds: float, path: str = "") -> str:
    begin(path)
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        return "swallowed"
    return "slept"


def swallow_now(seconds: float, path: str = "") -> str:
    begin(path)
    try:
        time.sleep(seconds)
    except OperationCancelled:
        return "swallowed"
    return "slept"


def stubborn_now(seconds: float, path: str = "") -> None:
    begin(path)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            time.sleep(seconds)
        except OperationCancelled:
            continue


async def stubborn(seconds: float, path: str = "") -> None:
    begin(path)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            continue


async def times_out() -> str:
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)
    except TimeoutError:
        return "timed out"
    return "slept"


async def group() -> list[int]:
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(double(number)) for number in range(3)]
    return [task.result() for task in running]


async def cancels_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


async def spend(seconds: float) -> None:
    """Runs about so long, suspending once."""
    await asyncio.sleep(0)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def spend_now(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def raises(message: str) -> None:
    raise ValueError(message)


async def raises_async(message: str) -> None:
    await asyncio.sleep(0)
    raises(message)


def raises_chained() -> None:
    try:
        raises("inner")
    except ValueError as error:
        raise RuntimeError("outer") from error


def exits(code: int) -> None:
    sys.exit(code)


async def exits_async(code: int) -> None:
    await asyncio.sleep(0)
    sys.exit(code)


def interrupts() -> None:
    raise KeyboardInterrupt


def crashes(code: int) -> None:
    os._exit(code)


def kills_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def terminates_itself() -> str:
    os.kill(os.getpid(), signal.SIGTERM)
    return "finished"


def unstorable() -> object:
    return object()


def huge(size: int) -> str:
    return "x" * size


async def set_variable(value: str) -> str:
    await asyncio.sleep(0)
    before = variable.get()
    variable.set(value)
    await asyncio.sleep(0)
    assert variable.get() == value
    return before


def set_variable_now(value: str) -> str:
    before = variable.get()
    variable.set(value)
    return before


def uses_asyncio_run(number: int) -> int:
    return asyncio.run(double(number))


kept: list[bytearray] = []


def hold(size: int) -> None:
    """Make the process larger, for good."""
    kept.append(bytearray(os.urandom(1024)) * (size // 1024))


def leaves_grandchild(path: str) -> None:
    """A grandchild that inherits every descriptor, the channel too, and outlives this process."""
    for fd in range(3, 64):
        try:
            os.set_inheritable(fd, True)  # noqa: FBT003 - the name says it
        except OSError:
            continue
    grandchild = subprocess.Popen(["sleep", "600"], close_fds=False)
    Path(path).write_text(str(grandchild.pid))
    os._exit(7)


def deaf(seconds: float, path: str = "") -> None:
    """Holds the interpreter's lock: no thread of this process runs meanwhile."""
    begin(path)
    ctypes.PyDLL(None).usleep(int(seconds * 1_000_000))


TRIGGERS: tuple[Callable[..., Any], ...] = (
    append, cancels_itself, crashes, deaf, double, double_now, exits, exits_async, group, hold, huge, interrupts,
    kills_itself, leaves_grandchild, noop, overlap, pid, raises, raises_async, raises_chained, set_variable,
    set_variable_now, sleep, sleep_now, spend, spend_now, stay, stay_now, stubborn, stubborn_now, swallow, swallow_now,
    terminates_itself, times_out, unstorable, uses_asyncio_run,
)  # fmt: skip


def prepare() -> Application:
    """Import the application; the environment tells whether that is to fail."""
    if (path := os.environ.get("TEST_BROKEN")) and Path(path).exists():
        raise RuntimeError("the application is broken")
    if path := os.environ.get("TEST_GATE"):
        while not Path(path).exists():
            time.sleep(0.005)
    return Application(*TRIGGERS)


async def prepare_async() -> Application:
    """The same, set up in the loop."""
    await asyncio.sleep(0)
    return prepare()


if __name__ == "__main__":
    serve(int(sys.argv[1]), prepare_async if os.environ.get("TEST_ASYNC") else prepare, int(sys.argv[2]))

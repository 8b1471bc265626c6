"""An application whose triggers use everything that a running operation can: ``python -m tests.workers.inside FD SLOTS``."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Never

from opwright import Current, Opwright, operation
from opwright.workers.process import serve

ops = Opwright("sqlite:///never.db")
logger = logging.getLogger("tests.inside")
seen: ContextVar[str] = ContextVar("seen", default="nothing")


def note(line: str) -> None:
    """Write into the diary of the test, if it keeps one."""
    if path := os.environ.get("TEST_DIARY"):
        with Path(path).open("a") as file:
            file.write(line + "\n")


def hold(gate: str) -> None:
    """Stay in this thread until the test makes the file."""
    while not Path(gate).exists():
        time.sleep(0.002)


# ---------------------------------------------------------------------------------------------- each worker


@ops.worker
def first() -> Iterator[None]:
    note("first up")
    if os.environ.get("TEST_SET_UP"):
        raise RuntimeError("no cache today")
    yield
    note("first down")


@ops.worker
async def second() -> AsyncIterator[None]:
    note(f"second up in {id(asyncio.get_running_loop())}")
    yield
    note("second down")
    if os.environ.get("TEST_TEAR_DOWN"):
        raise RuntimeError("it would not close")


@ops.worker
def third() -> None:
    note("third up")


@ops.worker
async def fourth() -> None:
    note("fourth up")


# --------------------------------------------------------------------------------------------- each attempt


@ops.around
def outer(current: Current) -> Iterator[None]:
    if current.trigger == "refused":
        raise PermissionError("not today")
    note(f"outer in {current.trigger} {current.id} {current.attempt}")
    seen.set(f"seen {current.id}")
    try:
        yield
    except BaseException as error:
        note(f"outer saw {type(error).__name__}")
        raise
    finally:
        note("outer out")


@ops.around
def inner(current: Current) -> Iterator[None]:
    note("inner in")
    try:
        yield
    except BaseException as error:  # noqa: BLE001 - swallowed, which must not help
        note(f"inner saw {type(error).__name__}")
    note("inner out")


# ------------------------------------------------------------------------------------------------- triggers


@ops.operation
def describes() -> list[Any]:
    current = operation.current()
    return [current.id, current.attempt, current.trigger, current.token, current.cancelled, seen.get()]


@ops.operation
async def describes_from_afar() -> list[int]:
    """From a task and from a thread that the trigger started."""
    task = asyncio.create_task(_id())
    return [await task, await asyncio.to_thread(lambda: operation.current().id)]


async def _id() -> int:
    return operation.current().id


@ops.operation
def refused() -> None:
    note("the trigger ran")


@ops.operation
def raises() -> None:
    raise ValueError("no")


@ops.operation
async def raises_async() -> None:
    await asyncio.sleep(0)
    raise ValueError("no")


@ops.operation
def says(lines: list[str]) -> None:
    for line in lines:
        operation.log(line)


@ops.operation
def says_much(lines: int) -> None:
    for number in range(lines):
        operation.log(f"line {number}")


@ops.operation
def progresses(gate: str) -> None:
    operation.progress(0.5, "half")
    hold(gate)


@ops.operation
def progresses_twice(gate: str) -> None:
    operation.progress(0.25)
    operation.progress(0.75)
    Path(gate + ".new").write_text(str(time.time_ns() // 1000))
    Path(gate + ".new").rename(gate + ".said")
    hold(gate)


@ops.operation
async def hurries(seconds: float) -> None:
    end = time.monotonic() + seconds
    steps = 0
    while time.monotonic() < end:
        steps += 1
        operation.progress(0.5, f"step {steps}")
        if steps % 100 == 0:
            await asyncio.sleep(0)
    operation.progress(1, "done")


@ops.operation
def speaks_after_its_end(gate: str) -> None:
    current = operation.current()

    def speak() -> None:
        hold(gate)
        current.log("too late")
        current.progress(0.9)
        Path(gate + ".spoken").touch()

    threading.Thread(target=speak).start()


@ops.operation
def asks() -> list[Any]:
    return [operation.wait(90, times=2), operation.wait()]


@ops.operation
def asks_badly(seconds: Any, times: Any = None) -> None:
    operation.wait(seconds, times=times)


@ops.operation
def asks_and_hopes() -> str:
    try:
        operation.wait()
    except Exception:  # noqa: BLE001 - what users write
        return "swallowed"
    return "went on"


@ops.operation
def asks_and_swallows() -> str:
    try:
        operation.wait()
    except BaseException:  # noqa: BLE001 - what users should not write
        return "swallowed"
    return "went on"


@ops.operation
async def asks_in_a_group(other: str) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_wait())
        group.create_task(_raise() if other == "fails" else asyncio.sleep(60))


async def _wait() -> None:
    operation.wait(5)


async def _raise() -> Never:
    raise ValueError("no")


@ops.operation
async def tries_again(after: float | None = None, reason: str | None = None) -> None:
    operation.retry(after, reason)


@ops.operation
def looks(path: str) -> str:
    """Ends by itself when it is asked to."""
    Path(path).touch()
    while not operation.cancelled():
        time.sleep(0.002)
    return "stopped"


@ops.operation
async def ends_within(then: str, path: str = "") -> str:
    """As if its end had been committed in a transaction of its own."""
    operation.current().over = True
    if then == "fails":
        raise ValueError("too late")
    if then == "waits":
        operation.wait()
    if then == "sleeps":
        Path(path).touch()  # noqa: ASYNC240 - one call
        await asyncio.sleep(60)
    return "returned"


@ops.operation(capture=True)
async def prints(name: str, rounds: int) -> None:
    for number in range(rounds):
        print(name, "prints", number)  # noqa: T201 - that is what is captured
        await asyncio.sleep(0.001)
        logger.info("%s logs %d", name, number)


@ops.operation(capture=True)
def prints_half() -> None:
    print("one, ", end="")  # noqa: T201 - as above
    print("two\nthree", end="")  # noqa: T201 - as above


@ops.operation(capture=True)
def logs_an_error() -> None:
    try:
        raise ValueError("no such photo")
    except ValueError:
        logger.exception("it went wrong")


@ops.operation
def prints_openly() -> None:
    print("for everybody")  # noqa: T201 - as above


if __name__ == "__main__":
    serve(int(sys.argv[1]), lambda: ops.registry, int(sys.argv[2]))

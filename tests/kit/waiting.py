"""Waiting for a named moment, never longer than a deadline."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")
LOOK = 0.01  # seconds between two looks


@overload
async def eventually(condition: Callable[[], Awaitable[T]], seconds: float = ..., what: str = ...) -> T: ...
@overload
async def eventually(condition: Callable[[], T], seconds: float = ..., what: str = ...) -> T: ...
async def eventually(condition: Callable[[], Any], seconds: float = 10.0, what: str = "") -> Any:
    """The first true answer of ``condition``, sync or async. Fails when there is none within so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        answer = await _asked(condition)
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what or inspect.getsource(condition).strip()}"
        await asyncio.sleep(LOOK)


async def stays(condition: Callable[[], object], seconds: float) -> None:
    """Fail as soon as ``condition``, sync or async, is not true; what never happens can only be watched for a while."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert await _asked(condition), f"it did not stay so: {inspect.getsource(condition).strip()}"
        await asyncio.sleep(LOOK)


async def _asked(condition: Callable[[], Any]) -> Any:
    answer = condition()
    return await answer if inspect.isawaitable(answer) else answer

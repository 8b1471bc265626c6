"""How an attempt is run within a long-lived task: a coroutine in a context of its own, or a plain call.

``asyncio.create_task`` per operation would do the first, at three times the price.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Suspended(Generic[T]):
    """A coroutine that waits for ``awaited``: awaiting this runs it to its end, each step in ``context``.

    So it can leak no context variable. What it awaits goes through to the task around it, and so do cancellations:
    asyncio.timeout and TaskGroup inside it work as always.
    """

    __slots__ = ("_awaited", "_context", "_coroutine")

    def __init__(self, coroutine: Coroutine[Any, Any, T], context: Context, awaited: Any) -> None:
        self._coroutine = coroutine
        self._context = context
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, T]:
        run, awaited = self._context.run, self._awaited
        while True:
            step: Callable[[Any], Any] = self._coroutine.send
            try:
                value = yield awaited
            except BaseException as error:  # noqa: BLE001 - a cancellation, or a failure of what it awaited
                value, step = error, self._coroutine.throw
            try:
                awaited = run(step, value)
            except StopIteration as end:
                result: T = end.value
                return result


def outside_loop(call: Callable[[Context], T], context: Context) -> T:
    """Call a plain function from within a task as if no loop ran here.

    So it may use ``asyncio.run``, like any synchronous code. The two pairs are asyncio's documented way to switch tasks.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101 - only slots call this
    asyncio.tasks._leave_task(loop, task)  # noqa: SLF001 - as documented in "Extending asyncio"
    asyncio._set_running_loop(None)  # noqa: SLF001 - the same
    try:
        return call(context)
    finally:
        asyncio._set_running_loop(loop)  # noqa: SLF001 - the same
        asyncio.tasks._enter_task(loop, task)  # noqa: SLF001 - the same

"""What each worker process does before it is ready, and undoes when it leaves: ``@ops.worker``."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from opwright.errors import ConfigurationError
from opwright.telemetry import logger


class Preparations:
    """Every registered function, in order. Several pools of one process share what was set up: the last one tears it down."""

    def __init__(self) -> None:
        self._functions: list[Callable[[], Any]] = []
        self._stack = AsyncExitStack()
        self._users = 0
        self._turn = asyncio.Lock()

    def add(self, function: Callable[[], Any], *, first: bool = False) -> None:
        """Register a function, after the others or before them. Raises ConfigurationError when it cannot prepare a worker."""
        _check(function)
        self._functions.insert(0 if first else len(self._functions), function)

    async def set_up(self) -> None:
        """Run each up to its ``yield``. When one raises, those before it are torn down, and the error goes on."""
        async with self._turn:
            if not self._users:
                async with AsyncExitStack() as stack:
                    for function in self._functions:
                        await _Preparation(function).enter(stack)
                    self._stack = stack.pop_all()
            self._users += 1

    async def tear_down(self) -> None:
        """Run each from its ``yield`` to its end, the last first. An error is logged, and the others have their turn."""
        async with self._turn:
            self._users -= 1
            if not self._users:
                await self._stack.aclose()


class _Preparation:
    """One function, run once."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._steps: Any = None

    async def enter(self, stack: AsyncExitStack) -> None:
        """Set up; what is to be torn down goes on the stack."""
        made = self._function()
        if inspect.isgenerator(made) or inspect.isasyncgen(made):
            self._steps = made
            if not await self._yielded():
                raise ConfigurationError(
                    f"worker: {_name(self._function)} did not yield; write one `yield` after what it sets up"
                )
            stack.push_async_callback(self._leave)
        elif inspect.isawaitable(made):
            await made

    async def _leave(self) -> None:
        try:
            if await self._yielded():
                logger.error("worker: %s yielded more than once; what follows the second is not run", _name(self._function))
        except Exception:  # noqa: BLE001 - the worker leaves in any case
            logger.exception("worker: %s could not be torn down", _name(self._function))

    async def _yielded(self) -> bool:
        """Go on to its next ``yield``; False when it has ended instead."""
        try:
            if inspect.isasyncgen(self._steps):
                await anext(self._steps)
            else:
                next(self._steps)
        except (StopIteration, StopAsyncIteration):
            return False
        return True


def _check(function: Callable[[], Any]) -> None:
    if not inspect.isroutine(function):
        raise ConfigurationError(f"worker: {function!r} is no function; give it a def or async def, with or without one yield")
    inner = inspect.unwrap(function)
    if inner is not function and (inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner)):
        raise ConfigurationError(
            f"worker: {_name(function)} is wrapped, as by @contextmanager; give the generator function itself"
        )
    if inspect.signature(function).parameters:
        raise ConfigurationError(f"worker: {_name(function)} takes parameters, and nobody could give it any; take them away")


def _name(function: Any) -> str:
    return f"{function.__module__}.{function.__qualname__}"

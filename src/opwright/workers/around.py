"""What an application wraps around every attempt: error trackers, tracing, context variables."""

from __future__ import annotations

import inspect
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Literal, cast

from opwright.errors import ConfigurationError
from opwright.workers.current import Current, current
from opwright.workers.runner import Around, TriggerFunction


def checked(function: Around) -> Around:
    """The function itself. Raises ConfigurationError when it cannot be wrapped around an attempt."""
    if inspect.isasyncgenfunction(function):
        raise ConfigurationError(
            f"around: {_name(function)} is asynchronous, and synchronous triggers could not run it: make it a plain `def`"
        )
    if not inspect.isgeneratorfunction(function):
        raise ConfigurationError(f"around: {_name(function)} is no generator function: write a `def` that yields exactly once")
    if len(inspect.signature(function).parameters) != 1:
        raise ConfigurationError(f"around: {_name(function)} must take one parameter, the Current of the attempt")
    return function


class Surrounded:
    """The function of a trigger with all of them around it, the first outermost."""

    def __init__(self, inner: TriggerFunction, arounds: tuple[Around, ...]) -> None:
        self._inner = inner
        self._arounds = arounds

    def __call__(self, /, **arguments: Any) -> Any:
        """Call the function; a coroutine for an async one."""
        if self._inner.is_async:
            return self._awaited(arguments)
        with self._around():
            return self._inner.function(**arguments)

    async def _awaited(self, arguments: dict[str, Any]) -> Any:
        with self._around():
            return await self._inner.function(**arguments)

    @contextmanager
    def _around(self) -> Iterator[None]:
        with ExitStack() as stack:
            for function in self._arounds:
                stack.enter_context(_Pass(function, current()))
            yield


class _Pass:
    """One of them on its way through one attempt."""

    def __init__(self, function: Around, current: Current) -> None:
        self._function = function
        self._steps = cast("Generator[Any, Any, Any]", function(current))  # checked() has seen to that

    def __enter__(self) -> None:
        try:
            next(self._steps)
        except StopIteration:
            raise self._misused("did not yield") from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        """Let it see the error. Even if it swallows it, the error goes on; one of its own takes the place."""
        try:
            next(self._steps) if error is None else self._steps.throw(error)
        except StopIteration:
            return False
        except BaseException as raised:
            if raised is not error:
                raise
            error.__traceback__ = trace  # without the frames through which it has just gone
            return False
        raise self._misused("yielded more than once")

    def _misused(self, what: str) -> RuntimeError:
        return RuntimeError(f"{_name(self._function)} {what}; what is wrapped around an attempt yields exactly once")


def _name(function: Any) -> str:
    return f"{function.__module__}.{function.__qualname__}" if hasattr(function, "__qualname__") else repr(function)

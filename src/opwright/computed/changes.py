"""The values of a call, one after another."""

from __future__ import annotations

from typing import Generic, ParamSpec, Self, TypeVar

from opwright.computed.computed import Computed
from opwright.computed.function import ComputedFunction

P = ParamSpec("P")
R = TypeVar("R")


class Changes(Generic[P, R]):
    """``async for value in changes(…)``; see ``changes``. Leaving the loop leaves nothing to be closed."""

    def __init__(self, function: ComputedFunction[P, R], /, *args: P.args, **kwargs: P.kwargs) -> None:
        self._function = function
        self._args = args
        self._kwargs = kwargs
        self._last: Computed[R] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> R:
        if self._last is not None:
            await self._last.when_invalidated()
        self._last = await self._function.computed(*self._args, **self._kwargs)
        return self._last.value


def changes(function: ComputedFunction[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Changes[P, R]:
    """The value of a call now, and again whenever it was invalidated, without end.

    Who is slow misses what lay in between and gets the latest. What the function raises is raised and ends ``async for``; the
    same object may be iterated again, and then waits until the error is no longer kept.
    """
    return Changes(function, *args, **kwargs)

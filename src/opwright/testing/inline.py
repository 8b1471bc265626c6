"""Carry out each submit before it returns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from opwright.app.application import Opwright
from opwright.operations.call import Call
from opwright.testing.drain import drain, draining, here

T = TypeVar("T")


@contextmanager
def inline(ops: Opwright, *, raises: bool = True) -> Iterator[None]:
    """Within the block a submit returns when its operation was carried out, here, through the database as ever.

    Whatever else is ready is carried out with it. What a running operation submits follows after that operation, before the
    outer submit returns. A submit in a transaction of yours (``on=``) is only there after your commit: the next submit or
    ``drain`` carries it out. ``raises``: a submit raises OperationFailed when an attempt fails.
    """
    turns = asyncio.Lock()

    async def carry_out() -> None:
        if not draining(ops):  # else it is carried out next by the drain that runs this code
            async with turns:
                await drain(ops, raises=raises)

    client, before = ops.client, ops.client.asking
    client.asking = lambda what, run: _CarriedOut(what, run, carry_out)
    try:
        yield
    finally:
        client.asking = before


class _CarriedOut(Call[T]):
    """A submit, and then its operation."""

    __slots__ = ("_carry_out",)

    def __init__(
        self, what: str, run: Callable[[], Coroutine[Any, Any, T]], carry_out: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        super().__init__(what, run)
        self._carry_out = carry_out

    def __await__(self) -> Generator[Any, None, T]:
        answer = yield from super().__await__()
        yield from self._carry_out().__await__()
        return answer

    def now(self) -> T:
        answer = super().now()
        here(self._carry_out())
        return answer

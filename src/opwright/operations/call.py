"""One way to ask for something that the database must answer: ``await`` it, or ``.now()`` from synchronous code."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from opwright.operations.portal import portal

T = TypeVar("T")


class Call(Generic[T]):
    """A request that is made when it is awaited (or ``.now()`` is called), once.

    ``here`` does the same in the calling thread, for what needs no event loop; else ``now()`` borrows one.
    """

    __slots__ = ("_here", "_made", "_run", "_what")

    def __init__(self, what: str, run: Callable[[], Coroutine[Any, Any, T]], here: Callable[[], T] | None = None) -> None:
        self._what = what
        self._run = run
        self._here = here
        self._made = False

    def __await__(self) -> Generator[Any, None, T]:
        self._made = True
        return self._run().__await__()

    def now(self) -> T:
        """Make the request and wait for the answer, blocking this thread."""
        self._made = True
        return self._here() if self._here is not None else portal().run(self._run())

    def __del__(self) -> None:
        if not self._made:
            text = f"{self._what} was never made: nothing happened; write `await …` or `….now()`"
            warnings.warn(text, RuntimeWarning, stacklevel=2)

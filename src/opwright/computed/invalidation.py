"""An invalidation on its way to the event loops of other threads."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Generator, Iterable
from typing import TypeAlias

Delivered: TypeAlias = "concurrent.futures.Future[None]"


class Invalidation:
    """What ``invalidate`` returns, for who must know that the event loops of other threads have followed.

    It is awaited, or ``wait`` is called from synchronous code. In the calling event loop everything is done already.
    """

    def __init__(self, elsewhere: Iterable[Delivered] = ()) -> None:
        self._elsewhere = tuple(elsewhere)

    def __await__(self) -> Generator[object, None, None]:
        for delivered in self._elsewhere:
            yield from asyncio.wrap_future(delivered).__await__()

    def wait(self, timeout: float | None = None) -> None:
        """Block until every loop has followed. Raises TimeoutError after so many seconds."""
        if concurrent.futures.wait(self._elsewhere, timeout).not_done:
            raise TimeoutError(f"an event loop has not taken the invalidation within {timeout:g} s")


class Delivery:
    """An invalidation in the queue of an event loop. A loop that is closed drops it: then its cache is gone, which is as good."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self.delivered: Delivered = concurrent.futures.Future()
        self.delivered.set_running_or_notify_cancel()  # who stops waiting does not stop it

    def __call__(self) -> None:
        try:
            self._act()
        finally:
            self.delivered.set_result(None)

    def __del__(self) -> None:
        if not self.delivered.done():
            self.delivered.set_result(None)

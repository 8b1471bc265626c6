"""An event loop in a thread of its own, for synchronous code: started at the first need, ended with the interpreter."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")
NAME = "opwright portal"


class Portal:
    """A running loop, and the way into it from other threads."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._farewells: list[Callable[[], Awaitable[None]]] = []
        self._thread = threading.Thread(target=self.loop.run_forever, name=NAME, daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there; wait for it here."""
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("`.now()` inside Opwright's own loop would wait for itself: use `await`")
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def at_end(self, farewell: Callable[[], Awaitable[None]]) -> None:
        """Await ``farewell()`` before the loop ends: notifications that are due still go out."""
        self._farewells.append(farewell)

    def close(self) -> None:
        """Say the farewells and end the thread."""
        if self._thread.is_alive():
            self.run(self._farewell())
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()

    async def _farewell(self) -> None:
        await asyncio.gather(*(farewell() for farewell in self._farewells), return_exceptions=True)


def portal() -> Portal:
    """The portal of this process; a forked child gets one of its own, because threads do not survive a fork."""
    return _portal(os.getpid())


@cache
def _portal(pid: int) -> Portal:
    del pid
    return Portal()


def in_portal() -> bool:
    """Whether this is the portal's own thread."""
    return threading.current_thread().name == NAME

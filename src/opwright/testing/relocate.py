"""An application made with its production address, working on a test's database."""

from __future__ import annotations

import asyncio

from opwright.app.application import Opwright
from opwright.clock import Clock


class relocated:  # noqa: N801 - it reads as a verb, and needs both kinds of `with`
    """``with relocated(ops, url) as ops:`` has an application work on another database, ``async with`` within a coroutine.

    Everything that belongs to the application moves, also triggers that were imported or changed by ``options`` before; what its
    computed functions have cached is invalidated.
    ``clock``: for example a TurnedClock; by default the application's own. What the block opened is closed at its end; hosts
    must have been stopped by then. Raises ConfigurationError for an address that cannot work.
    """

    def __init__(self, ops: Opwright, url: str, *, clock: Clock | None = None) -> None:
        self._ops = ops
        self._url = url
        self._clock = clock

    def __enter__(self) -> Opwright:
        if _in_loop():
            raise RuntimeError("within a coroutine write `async with relocated(…)`: what it opened has to be closed by awaiting")
        return self._move()

    def __exit__(self, *_: object) -> None:
        try:
            self._ops.client.close_everywhere()
        finally:
            self._return()

    async def __aenter__(self) -> Opwright:
        return self._move()

    async def __aexit__(self, *_: object) -> None:
        try:
            await asyncio.to_thread(self._ops.client.close_everywhere)  # this loop's own store among them
        finally:
            self._return()

    def _move(self) -> Opwright:
        client = self._ops.client
        self._back = client.move(self._url, self._clock or client.clock, client.schema)
        self._ops.invalidate_all()  # what was computed from the other database
        return self._ops

    def _return(self) -> None:
        self._back()
        self._ops.invalidate_all()


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True

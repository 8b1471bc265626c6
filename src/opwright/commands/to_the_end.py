"""Work that a cancellation of its caller must not cut short, because something was committed already."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from opwright.commands.ambient import clean_context


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Run it in a clean context. A cancellation waits until it has ended, and is raised then."""
    task = asyncio.create_task(work, context=clean_context())
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await _end_of(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    task.result()


def _end_of(task: asyncio.Task[None]) -> asyncio.Future[None]:
    """Ready when the task has ended, whatever came of it; unlike the task it may be cancelled."""
    ended: asyncio.Future[None] = task.get_loop().create_future()
    task.add_done_callback(lambda _: None if ended.done() else ended.set_result(None))
    return ended

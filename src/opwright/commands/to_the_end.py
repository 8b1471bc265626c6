"""Work that a cancellation of its caller must not cut short, because something was committed already."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from functools import partial
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


class Ending:
    """What an outermost command does after its handler, in its own task where that does.

    A task for each piece of such work would cost as much as the rest of a command. It is needed where code of the application may
    cancel the command from inside, by a time limit in a handler or a filter. Otherwise only the caller cancels it, through
    ``awaited``, and that waits. ``is_alone``: no filters of the application are around. ``has_begun``: the handler is through.
    """

    def __init__(self) -> None:
        self.is_alone = False
        self.has_begun = False
        self._task: asyncio.Task[None] | None = None
        self._context: Context | None = None  # of that work, in which nothing stays behind
        self._is_kept = False  # from being cancelled
        self._is_cancelled = False

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """The same as ``to_the_end``."""
        if not (self.is_alone and self.has_begun and asyncio.current_task() is self._task):
            await to_the_end(work)
            return
        self._is_kept = True
        try:
            if self._context is None:
                self._context = clean_context()
            await _within(self._context, work)
        except Exception:
            self._release()
            raise
        self._release()

    def _release(self) -> None:
        self._is_kept = False
        if self._is_cancelled:
            self._is_cancelled = False
            raise asyncio.CancelledError

    def awaited(self, task: asyncio.Task[None]) -> _Awaited:
        """The task of the command, for its caller to wait for."""
        self._task = task
        return _Awaited(task, self._cancel)

    def _cancel(self, message: Any) -> bool:
        assert self._task is not None  # noqa: S101 - whoever cancels is waiting for it
        if self._is_kept:
            self._is_cancelled = True
            return True
        return self._task.cancel(message)


class _Awaited:
    """A future as far as a task looks at it that waits for one; it differs from the task in what a cancellation does."""

    _asyncio_future_blocking = False

    def __init__(self, task: asyncio.Task[None], cancel: Callable[[Any], bool]) -> None:
        self._task = task
        self._cancel = cancel
        self.get_loop = task.get_loop
        self.add_done_callback = task.add_done_callback

    def __await__(self) -> Generator[_Awaited, None, None]:
        if not self._task.done():
            self._asyncio_future_blocking = True
            yield self
        self._task.result()

    def cancel(self, msg: Any = None) -> bool:
        """Asked by the task that waits when it is cancelled itself."""
        return self._cancel(msg)


@types.coroutine
def _within(context: Context, work: Coroutine[Any, Any, None]) -> Generator[Any, Any, None]:
    """Run a coroutine in the task that runs already, with other context variables."""
    step: Callable[[], Any] = partial(work.send, None)
    while True:
        try:
            awaited = context.run(step)
        except StopIteration:
            return
        try:
            step = partial(work.send, (yield awaited))
        except BaseException as error:  # noqa: BLE001 - it is for the coroutine to say what becomes of it
            step = partial(work.throw, error)

"""One way to start, stop, wake and step for everything that runs in a loop.

A service is one step, ``run_once()``, which returns how many seconds it may sleep before the next. Tests call the step;
``start()`` runs it in a task. The contract:

- ``start()`` twice, ``stop()`` twice and ``stop()`` before ``start()`` are all harmless.
- ``wake()`` makes the next step follow at once; a wake-up during a step is not lost. It may be called before ``start()``.
- A step that raises is logged once per failure and tried again after a jittered, growing pause; the loop never dies of it.
- A loop that somebody else ended, by a cancellation that strayed into it for example, is told and begun again.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from contextlib import suppress

from opwright.errors import StoreBusy, StoreConflict, StoreUnavailable
from opwright.telemetry import emit, logger

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


class Service(ABC):
    """A loop around ``run_once``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._moves = 0
        self._in_step = self._given_up = False
        self._again: asyncio.TimerHandle | None = None

    @abstractmethod
    async def run_once(self) -> float:
        """Do one step. Returns the seconds until the next one, unless woken earlier."""

    async def start(self) -> None:
        """Begin to run steps in a task of its own."""
        if self._task is None:
            self._begin()

    async def stop(self) -> None:
        """End the loop. A step in progress is cancelled at its next await."""
        task, self._task = self._task, None
        if self._again is not None:
            self._again.cancel()
        if task is not None:
            task.cancel()
            await asyncio.wait([task])  # not `await task`: its cancellation is not that of whoever stops it

    @property
    def running(self) -> bool:
        """Whether the loop is alive."""
        return self._task is not None and not self._task.done()

    @property
    def pulse(self) -> int | None:
        """A count that moves with every step that ends, well or not, and with ``moved()``.

        None: it is not started, or sleeps until its time.
        """
        resting = self._task is None or (self.running and not self._in_step)
        return None if resting else self._moves

    def moved(self) -> None:
        """A step that may take long, because it has much to do, tells that it goes on."""
        self._moves += 1

    def interrupt(self) -> None:
        """Give up a step that hangs: it is cancelled, and the loop begins again."""
        if self._task is not None and self.running:
            self._given_up = True
            self._task.cancel()

    def wake(self) -> None:
        """Let the next step follow at once. Only from the service's own event loop."""
        self._woken.set()

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"opwright {self.name}")
        self._task.add_done_callback(self._mishap)

    def _mishap(self, task: asyncio.Task[None]) -> None:
        """The loop has ended. Unless we stopped it, it begins again, after a pause in case it dies each time."""
        if task is not self._task:
            return
        self._failures += 1
        error = "it was cancelled" if task.cancelled() else repr(task.exception())
        if not self._given_up:  # else whoever did that has told why
            emit("service.died", service=self.name, error=error)
            logger.error("%s: its loop has ended (%s); it begins again", self.name, error)
        self._given_up = False
        self._again = task.get_loop().call_later(backoff_pause(self._failures), self._begin)

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            self._in_step = True
            pause = await self._step()
            self._in_step = False
            self._moves += 1
            await self._sleep(pause)

    async def _step(self) -> float:
        try:
            pause = await self.run_once()
        except Exception as error:  # noqa: BLE001 - whatever a step raises, the loop lives on and says so
            self._failures += 1
            pause = backoff_pause(self._failures)
            report(self.name, error, self._failures, pause)
        else:
            self._failures = 0
        return pause

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()


def backoff_pause(failures: int) -> float:
    """Seconds to wait after so many failures in a row: doubling, bounded, and jittered so that hosts do not march in step."""
    longest = min(FIRST_PAUSE * 2 ** min(failures - 1, 16), LONGEST_PAUSE)
    return float(longest * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret


def report(name: str, error: Exception, failures: int, pause: float) -> None:
    """A database that is away is told in one line when it goes; anything else is a defect and shows where."""
    emit("service.failed", service=name, error=error, failures=failures)
    if not isinstance(error, StoreUnavailable | StoreBusy | StoreConflict):
        logger.error("%s: step failed, next try in %.1f s", name, pause, exc_info=error)
    elif failures == 1:
        logger.warning("%s: %s; trying again", name, error)

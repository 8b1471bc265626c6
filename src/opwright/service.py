"""One way to start, stop, wake and step for everything that runs in a loop.

A service is one step, ``run_once()``, which returns how many seconds it may sleep before the next. Tests call the step;
``start()`` runs it in a task. The contract:

- ``start()`` twice, ``stop()`` twice and ``stop()`` before ``start()`` are all harmless.
- ``wake()`` makes the next step follow at once; a wake-up during a step is not lost. It may be called before ``start()``.
- A step that raises is logged once per failure and tried again after a jittered, growing pause; the loop never dies.
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

    @abstractmethod
    async def run_once(self) -> float:
        """Do one step. Returns the seconds until the next one, unless woken earlier."""

    async def start(self) -> None:
        """Begin to run steps in a task of its own."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"opwright {self.name}")

    async def stop(self) -> None:
        """End the loop. A step in progress is cancelled at its next await."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])  # not `await task`: its cancellation is not that of whoever stops it

    @property
    def running(self) -> bool:
        """Whether the loop is alive."""
        return self._task is not None and not self._task.done()

    def wake(self) -> None:
        """Let the next step follow at once. Only from the service's own event loop."""
        self._woken.set()

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            await self._sleep(await self._step())

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

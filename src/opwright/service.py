"""One way to start, stop, wake and step for everything that runs in a loop.

A service is one step, ``run_once()``, which returns how many seconds it may sleep before the next. Tests call the step;
``start()`` runs it in a task. The contract:

- ``start()`` twice, ``stop()`` twice and ``stop()`` before ``start()`` are all harmless.
- ``wake()`` makes the next step follow at once; a wake-up during a step is not lost. It may be called before ``start()``.
- A step that raises is told and tried again after a jittered, growing pause, which no wake-up ends: or else a busy host would
  hammer a database that is down. The loop never dies.
- Services that share an ``Outage`` tell of a database that is away in one line, and in one when it is back; the first that
  gets through wakes the others.
"""

from __future__ import annotations

import asyncio
import random
import time
from abc import ABC, abstractmethod
from contextlib import suppress

from opwright.errors import StoreBusy, StoreConflict, StoreUnavailable
from opwright.telemetry import emit, logger

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
MANY_CONFLICTS = 5  # in a row; fewer are everyday life between transactions


class Outage:
    """Trouble with a database, as all services of one host see it."""

    def __init__(self) -> None:
        self._failing: set[Service] = set()
        self._since = 0.0

    def begins(self, service: Service, error: Exception) -> None:
        """A step of a service failed because of the database."""
        if not self._failing:
            self._since = time.monotonic()
            emit("outage.began", service=service.name, error=error)
            logger.warning("%s: %s; trying again", service.name, error)
        self._failing.add(service)

    def ends(self, service: Service) -> None:
        """A service that had failed got through: the others need not wait for their turn."""
        if service not in self._failing:
            return
        self.leaves(service)
        for other in self._failing:
            other.try_again()
        if not self._failing:
            seconds = time.monotonic() - self._since
            emit("outage.ended", seconds=seconds)
            logger.info("the database is back, after %.1f s", seconds)

    def leaves(self, service: Service) -> None:
        """A service was stopped: whether it would get through nobody will know."""
        self._failing.discard(service)


class Service(ABC):
    """A loop around ``run_once``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.outage = Outage()
        self.longest_pause = LONGEST_PAUSE
        self._woken = asyncio.Event()
        self._again = asyncio.Event()
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
            self.outage.leaves(self)

    @property
    def running(self) -> bool:
        """Whether the loop is alive."""
        return self._task is not None and not self._task.done()

    def wake(self) -> None:
        """Let the next step follow at once. Only from the service's own event loop."""
        self._woken.set()

    def try_again(self) -> None:
        """End the pause after a failure: another service has got through."""
        self._again.set()

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            self._again.clear()
            pause = await self._step()
            await _waited(self._again if self._failures else self._woken, pause)

    async def _step(self) -> float:
        try:
            pause = await self.run_once()
        except Exception as error:  # noqa: BLE001 - whatever a step raises, the loop lives on and says so
            self._failures += 1
            pause = backoff_pause(self._failures, self.longest_pause)
            self._report(error, pause)
        else:
            self._failures = 0
            self.outage.ends(self)
        return pause

    def _report(self, error: Exception, pause: float) -> None:
        """Trouble with the database is told once for all; anything else is a defect and shows where."""
        emit("service.failed", service=self.name, error=error, failures=self._failures)
        if isinstance(error, StoreUnavailable | StoreBusy | StoreConflict):
            logger.debug("%s: %s; next try in %.1f s", self.name, error, pause)
            if not isinstance(error, StoreConflict) or self._failures >= MANY_CONFLICTS:
                self.outage.begins(self, error)
        else:
            logger.error("%s: step failed, next try in %.1f s", self.name, pause, exc_info=error)


async def _waited(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def backoff_pause(failures: int, most: float | None = None) -> float:
    """Seconds to wait after so many failures in a row: doubling, bounded, and jittered so that hosts do not march in step."""
    longest = min(FIRST_PAUSE * 2 ** min(failures - 1, 16), LONGEST_PAUSE if most is None else most)
    return float(longest * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret

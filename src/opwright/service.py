"""One way to start, stop, wake and step for everything that runs in a loop.

A service is one step, ``run_once()``, which returns how many seconds it may sleep before the next. Tests call the step;
``start()`` runs it in a task. The contract:

- ``start()`` twice, ``stop()`` twice and ``stop()`` before ``start()`` are all harmless.
- ``wake()`` makes the next step follow at once; a wake-up during a step is not lost. It may be called before ``start()``.
- A step that raises is told and tried again after a jittered, growing pause, which no wake-up ends: or else a busy host would
  hammer a database that is down. The loop never dies of it.
- A loop that somebody else ended, by a cancellation that strayed into it for example, is told and begun again.
- Services that share an ``Outage`` tell of a database that is away in one line, and in one when it is back; the first that
  gets through wakes the others.
"""

from __future__ import annotations

import asyncio
import random
import time
from abc import ABC, abstractmethod
from functools import partial

from opwright.errors import StoreBusy, StoreConflict, StoreUnavailable
from opwright.telemetry import emit, logger

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
MANY_CONFLICTS = 5  # in a row; fewer are everyday life between transactions
TROUBLE = (StoreUnavailable, StoreBusy, StoreConflict)  # with the database, as opposed to a defect


class Outage:
    """Trouble with a database, or with another server, as all services of one host see it."""

    def __init__(self, of: str = "the database") -> None:
        self._of = of
        self._failing: set[Service] = set()
        self._since = 0.0

    @property
    def on(self) -> bool:
        """Whether there is any, and somebody was told."""
        return bool(self._failing)

    def begins(self, service: Service, error: Exception) -> None:
        """A step of a service failed because of the database."""
        if not self.on:
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
        if not self.on:
            seconds = time.monotonic() - self._since
            emit("outage.ended", seconds=seconds)
            logger.info("%s is back, after %.1f s", self._of, seconds)

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
        self._moves = 0
        self._in_step = self._given_up = False
        self._beginning: asyncio.TimerHandle | None = None

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
        if self._beginning is not None:
            self._beginning.cancel()
        if task is not None:
            task.cancel()
            await asyncio.wait([task])  # not `await task`: its cancellation is not that of whoever stops it
            self.outage.leaves(self)

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

    def try_again(self) -> None:
        """End the pause after a failure: another service has got through."""
        self._again.set()

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"opwright {self.name}")
        self._task.add_done_callback(self._mishap)

    def _mishap(self, task: asyncio.Task[None]) -> None:
        """The loop has ended. Unless we stopped it, it begins again, after a pause in case it dies each time."""
        if task is not self._task:
            return
        self._failures += 1
        error = "it was cancelled" if task.cancelled() else repr(task.exception())
        told, self._given_up = self._given_up, False  # whoever gave it up has told why
        again = partial(self._begin_again, None if told else error)
        self._beginning = task.get_loop().call_later(backoff_pause(self._failures), again)

    def _begin_again(self, error: str | None) -> None:
        """Told only now: what ends together with the whole event loop, because nobody has stopped it, begins nowhere."""
        if error is not None:
            emit("service.died", service=self.name, error=error)
            logger.error("%s: its loop had ended (%s); it begins again", self.name, error)
        self._begin()

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            self._again.clear()
            self._in_step = True
            pause = await self._step()
            heed_cancellation()
            self._in_step = False
            self._moves += 1
            await _waited(self._again if self._failures else self._woken, pause)

    async def _step(self) -> float:
        try:
            pause = await self.run_once()
        except Exception as error:  # noqa: BLE001 - whatever a step raises, the loop lives on and says so
            self._failures += 1
            pause = backoff_pause(self._failures, self.longest_pause)
            self._failed(error, pause)
        else:
            self._failures = 0
            self.outage.ends(self)
        return pause

    def _failed(self, error: Exception, pause: float) -> None:
        """Trouble with the database is told once for all services of a host."""
        if isinstance(error, TROUBLE) and (not isinstance(error, StoreConflict) or self._failures >= MANY_CONFLICTS):
            self.outage.begins(self, error)
        report(self.name, error, self._failures, pause)


def heed_cancellation() -> None:
    """Raises the CancelledError that a library has kept to itself: ``asyncio.wait_for`` does before Python 3.12, now and then.

    Only for a task that ends when it is cancelled.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _waited(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, which the end of the time sets too: that costs half of a timeout, whose end is a cancellation."""
    timer = asyncio.get_running_loop().call_later(seconds, event.set)
    try:
        await event.wait()
    finally:
        timer.cancel()


def backoff_pause(failures: int, most: float | None = None) -> float:
    """Seconds to wait after so many failures in a row: doubling, bounded, and jittered so that hosts do not march in step."""
    longest = min(FIRST_PAUSE * 2 ** min(failures - 1, 16), LONGEST_PAUSE if most is None else most)
    return float(longest * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret


def report(what: str, error: Exception, failures: int, pause: float) -> None:
    """What failed, and for the how many-th time in a row. A defect shows where it is; trouble with the database does not."""
    emit("service.failed", service=what, error=error, failures=failures)
    if isinstance(error, TROUBLE):
        logger.debug("%s: %s; next try in %.1f s", what, error, pause)
    else:
        logger.error("%s: step failed, next try in %.1f s", what, pause, exc_info=error)

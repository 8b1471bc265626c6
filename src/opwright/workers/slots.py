"""Slots: the places where attempts run, and the queue of tasks before them. The same in a worker and in the host.

Each slot is one long-lived asyncio task. One slot at a time hunts: it runs task after task until one suspends, and only
then wakes the next slot. So operations that never suspend cost no wake-up, and slow ones spread over all slots.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from threading import Lock, get_ident

from opwright.clock import MILLISECOND, SystemClock
from opwright.model.worker import Remark, StatusUpdate, Task
from opwright.telemetry import logger
from opwright.workers.attempt import Attempt
from opwright.workers.current import ignore
from opwright.workers.drive import Suspended, outside_loop
from opwright.workers.runner import Runner

TURN = 64  # operations, and
LONGEST_TURN = 1 * MILLISECOND  # after which a slot that never suspended lets the loop go round

_now = SystemClock().now

Ending = StatusUpdate | Suspended[StatusUpdate]


class Slot:
    """One place to run. ``touched``: since when it is free or active, in microseconds."""

    __slots__ = ("attempt", "finished", "number", "task", "touched")

    def __init__(self, number: int) -> None:
        self.number = number
        self.attempt: Attempt | None = None
        self.task: asyncio.Task[None] | None = None
        self.touched = _now()
        self.finished = 0


class Slots:
    """``count`` slots before one queue, which is served strictly in order.

    ``report`` gets every end, in the event loop; ``remark`` what operations say before, in any thread. ``interrupt`` makes a
    signal reach the main thread; with it, sync triggers are called right there. Without it they run in as many threads as there
    are slots.

    ``put``, ``take_back`` and ``cancel`` may be called from any thread.
    """

    def __init__(
        self,
        runner: Runner,
        count: int,
        report: Callable[[StatusUpdate], None],
        remark: Callable[[Remark], None],
        interrupt: Callable[[], None] | None = None,
    ) -> None:
        self.marks: memoryview | list[int] = [0] * count  # the operation in each slot, or 0
        self.slots = tuple(Slot(number) for number in range(1, count + 1))
        self.busy = 0
        self.begun = 0
        self._find = runner.find
        self._arounds = runner.arounds
        self._report = report
        self._remark = remark
        self._interrupt = interrupt
        self._threads = ThreadPoolExecutor(count, "opwright-slot")  # makes no thread before it is used
        self.queue: deque[Task] = deque()  # what has not begun
        self.hunting = False
        self._resting: list[asyncio.Future[None]] = []
        self._closing = False
        self._lock = Lock()

    def start(self) -> None:
        """Open the slots, in the running loop; the context of this call is the base of every operation's own."""
        self._loop = asyncio.get_running_loop()
        self._thread = get_ident()
        self._base = copy_context()
        for slot in self.slots:
            self._launch(slot)

    async def close(self) -> None:
        """End every slot. What waits is no longer begun; what still runs is given up, and no report of it follows."""
        self._closing = True
        if self.busy:
            self._report = ignore
        for rest in self._resting:
            rest.set_result(None)
        self._resting.clear()
        await asyncio.gather(*(slot.task for slot in self.slots if slot.task and not slot.attempt), return_exceptions=True)
        self._threads.shutdown(wait=False)

    # ------------------------------------------------------------------------------------------- the queue

    def put(self, tasks: Sequence[Task]) -> None:
        """Queue tasks, from any thread."""
        self.queue.extend(tasks)
        if get_ident() == self._thread:
            self.stir()
        else:
            self._loop.call_soon_threadsafe(self.stir)

    def take_back(self) -> list[Task]:
        """Take everything that has not begun, in order."""
        with self._lock:
            tasks = list(self.queue)
            self.queue.clear()
        return tasks

    def stir(self) -> None:
        """Let one resting slot hunt if there is something for it; it will wake the next when it suspends."""
        if self.queue and self._resting and not self.hunting:
            self.hunting = True
            self._resting.pop().set_result(None)

    # ------------------------------------------------------------------------------------------- cancelling

    def cancel(self, operation: int, token: int) -> Task | None:
        """Ask an operation to stop if it runs. If it has not begun it is taken back and returned."""
        with self._lock:
            for task in self.queue:
                if task.operation == operation and task.token == token:
                    self.queue.remove(task)
                    return task
            for slot in self.slots:
                attempt = slot.attempt
                if attempt and attempt.task.operation == operation and attempt.task.token == token:
                    break
            else:
                return None
        self._ask(slot, attempt)
        return None

    def cancel_all(self) -> None:
        """Ask everything that runs to stop."""
        for slot in self.slots:
            if slot.attempt is not None:
                self._ask(slot, slot.attempt)

    def _ask(self, slot: Slot, attempt: Attempt | None) -> None:
        if attempt is None or attempt.asked:
            return
        attempt.asked = True
        function = attempt.function  # None: its call is still to come, and looks at `asked` first
        if function is not None and function.is_async:
            self._loop.call_soon_threadsafe(self._cancel, slot, attempt)
        elif function is not None and self._interrupt is not None:
            self._interrupt()

    @staticmethod
    def _cancel(slot: Slot, attempt: Attempt) -> None:
        if slot.attempt is attempt and slot.task is not None:
            slot.task.cancel()

    # ------------------------------------------------------------------------------------------- a slot

    def _launch(self, slot: Slot) -> None:
        slot.task = self._loop.create_task(self._run(slot), name=f"opwright slot {slot.number}")
        slot.task.add_done_callback(partial(self._relaunch, slot))

    def _relaunch(self, slot: Slot, task: asyncio.Task[None]) -> None:
        """A task that was cancelled ends with its operation, and a fresh one takes its place.

        So nothing of a cancellation can reach the next operation, whether we asked for it or the trigger did it to itself.
        """
        if not task.cancelled() and (error := task.exception()):
            logger.error("slot %d failed", slot.number, exc_info=error)
        if not self._closing:
            self._launch(slot)

    async def _run(self, slot: Slot) -> None:
        own = asyncio.current_task()
        assert own is not None  # noqa: S101 - this is a task
        count, turned = 0, _now()
        while not self._closing and not own.cancelling():
            if not self.queue:
                await self._rest()
                count, turned = 0, _now()
            elif count >= TURN or slot.touched - turned > LONGEST_TURN:
                await asyncio.sleep(0)
                count, turned = 0, _now()
            elif (attempt := self._begin(slot)) is not None:
                count += 1
                update = self._perform(attempt)
                if not isinstance(update, StatusUpdate):
                    update = await self._awaited(attempt, update)
                self._end(slot, attempt, update)

    def _begin(self, slot: Slot) -> Attempt | None:
        with self._lock:  # a cancel from another thread finds a task either in the queue or in a slot
            if not self.queue:
                return None  # another thread was first
            task = self.queue.popleft()
            slot.attempt = attempt = Attempt(task, self._remark, self._arounds)
        self.marks[slot.number - 1] = task.operation
        self.busy += 1
        self.begun += 1
        return attempt

    def _perform(self, attempt: Attempt) -> StatusUpdate | Awaitable[Ending]:
        """Run it as far as it goes without waiting; if that is not to its end, what to await for it."""
        function = attempt.function = self._find(attempt.task.trigger)
        context = self._base.copy()
        try:
            if function is None or function.is_async:
                return attempt.start(context)
            if self._interrupt is not None:
                return outside_loop(attempt.start, context)
            return self._loop.run_in_executor(self._threads, attempt.start, context)
        except Exception as error:  # noqa: BLE001 - the machine gives no thread, for instance: still one update
            return attempt.failed(error)

    async def _awaited(self, attempt: Attempt, rest: Awaitable[Ending]) -> StatusUpdate:
        """Its end; meanwhile another slot hunts."""
        self.hunting = False
        self.stir()
        try:
            update = await rest
            return update if isinstance(update, StatusUpdate) else await update
        except Exception as error:  # noqa: BLE001 - as above
            return attempt.failed(error)

    def _end(self, slot: Slot, attempt: Attempt, update: StatusUpdate) -> None:
        update = attempt.close(update)
        slot.attempt = None
        slot.finished += 1
        slot.touched = update.ended or 0
        self.busy -= 1
        self._report(update)
        self.marks[slot.number - 1] = 0

    async def _rest(self) -> None:
        self.hunting = False
        rest = self._loop.create_future()
        self._resting.append(rest)
        try:
            await rest
        except asyncio.CancelledError:
            with suppress(ValueError):
                self._resting.remove(rest)
            raise

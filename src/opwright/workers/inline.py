"""The pool in the host's own process: for tests, for tiny applications, and for many short async operations."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from contextlib import suppress

from opwright.model.worker import Outcome, Remark, StatusUpdate, Task, Worker, WorkerState
from opwright.telemetry import emit, logger
from opwright.workers.attempt import Attempt
from opwright.workers.current import ignore
from opwright.workers.pool import FAST, OnRemarks, OnRoom, OnUpdates, Running, returned
from opwright.workers.runner import Runner
from opwright.workers.slots import Slot, Slots

AHEAD = 4  # tasks per slot that may wait, if they are fast
GIVEN_UP = "it still ran when its host stopped, and nothing can be killed in the host's own process"


class InlinePool:
    """``slots`` slots in the host's own event loop. Async triggers run in the loop itself, sync ones in threads.

    Nothing here can be killed. A cancel reaches an async trigger at its next ``await``; a running sync one goes on, and
    is reported as it really ends. What still runs at the end of ``stop`` is given up and reported as DIED.
    A slot is shown as a worker; all have the pid of this process.
    """

    def __init__(
        self, runner: Runner, slots: int, *, on_updates: OnUpdates, on_room: OnRoom, on_remarks: OnRemarks = ignore
    ) -> None:
        self._runner = runner
        self._slots = Slots(runner, slots, self._report, self._remark)
        self._count = slots
        self._on_updates = on_updates
        self._on_room = on_room
        self._on_remarks = on_remarks
        self._updates: list[StatusUpdate] = []
        self._remarks: deque[Remark] = deque()  # several threads may append while it is emptied
        self._most_ahead = AHEAD * slots
        self._open = self._taking = False
        self._ended = asyncio.Event()

    async def start(self) -> None:
        if self._open:
            return
        self._loop = asyncio.get_running_loop()
        await self._runner.set_up()
        self._slots.start()
        self._open = self._taking = True
        self._loop.call_soon(self._on_room)

    async def stop(self, grace: float, kill_after: float) -> None:
        if not self._open:
            return
        self._taking = False
        self.recall()
        if not await self._emptied(grace):
            self._slots.cancel_all()
            await self._emptied(kill_after)
        if self._open:  # else another stop had less patience
            self._open = False
            self._give_up()
            await self._slots.close()
            self._deliver()
            self._ended.set()
            await self._runner.tear_down()

    async def _emptied(self, seconds: float) -> bool:
        """Whether nothing runs any more, within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while self._slots.busy and self._open:
                    self._ended.clear()
                    await self._ended.wait()
        except TimeoutError:
            return False
        return True

    def _give_up(self) -> None:
        for slot, attempt in self._running():
            emit("worker.died", worker=f"slot-{slot.number}", pid=os.getpid(), error=GIVEN_UP)
            self._report(attempt.close(attempt.ended(Outcome.DIED, GIVEN_UP)))

    # ---------------------------------------------------------------------------------------------------- work

    def free(self) -> int:
        return max(self._count - self._slots.busy - len(self._slots.queue), 0) if self._taking else 0

    def place(self, task: Task, expected: float | None) -> bool:
        slots = self._slots
        waiting = slots.busy + len(slots.queue) - self._count
        if not self._taking or (waiting >= 0 and (waiting >= self._most_ahead or expected is None or expected >= FAST)):
            return False
        slots.queue.append(task)
        if not slots.hunting:
            slots.stir()
        return True

    def cancel(self, operation: int, token: int, kill_after: float) -> None:
        task = self._slots.cancel(operation, token)
        if task is not None:
            self._report(returned(task))

    def kill(self, worker: str, why: str) -> None:
        """Nothing here can be killed."""

    def recall(self) -> None:
        for task in self._slots.take_back():
            self._report(returned(task))

    def unstick(self) -> None:
        """Nothing to do: whichever slot is free takes the next, so nothing waits behind one."""

    def _report(self, update: StatusUpdate) -> None:
        """Gather what ends within one turn of the loop."""
        if not self._updates:
            self._loop.call_soon(self._deliver)
        self._updates.append(update)

    def _remark(self, remark: Remark) -> None:
        """From any thread: a synchronous trigger runs in one, and may still when the pool and even the loop have ended."""
        if not self._open:
            return
        self._remarks.append(remark)
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._deliver_remarks)

    def _deliver_remarks(self) -> None:
        remarks = [self._remarks.popleft() for _ in range(len(self._remarks))]
        if not remarks:
            return
        try:
            self._on_remarks(remarks)
        except Exception:  # noqa: BLE001 - the receiver's own affair; the ends must go on
            logger.exception("%d remarks of operations were not taken", len(remarks))

    def _deliver(self) -> None:
        if self._remarks:
            self._deliver_remarks()
        updates, self._updates = self._updates, []
        if not self._slots.busy:
            self._ended.set()
        if updates:
            self._on_updates(updates)

    # ------------------------------------------------------------------------------------- what can be asked

    def workers(self) -> tuple[Worker, ...]:
        return tuple(_worker(slot) for slot in self._slots.slots) if self._open else ()

    def pending(self) -> tuple[Worker, ...]:
        return ()

    def free_workers(self) -> tuple[Worker, ...]:
        return tuple(worker for worker in self.workers() if worker.state is WorkerState.FREE)

    def active(self) -> tuple[Worker, ...]:
        return tuple(worker for worker in self.workers() if worker.state is WorkerState.ACTIVE)

    def running(self) -> dict[int, Running]:
        return {
            attempt.task.operation: Running(
                attempt.task.operation, attempt.task.token, os.getpid(), attempt.begun or slot.touched
            )
            for slot, attempt in self._running()
        }

    def begun_at(self, operation: int) -> int | None:
        running = self.running().get(operation)
        return None if running is None else running.begun

    def _running(self) -> list[tuple[Slot, Attempt]]:
        return [(slot, slot.attempt) for slot in self._slots.slots if slot.attempt is not None]


def _worker(slot: Slot) -> Worker:
    attempt, state, touched = slot.attempt, WorkerState.FREE, slot.touched
    operations: tuple[int, ...] = ()
    if attempt is not None:
        state, touched = WorkerState.ACTIVE, attempt.begun or slot.touched
        operations = (attempt.task.operation,)
    return Worker(f"slot-{slot.number}", os.getpid(), state, touched, operations, slot.finished)

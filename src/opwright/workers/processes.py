"""The pool of pre-heated worker processes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from itertools import count

from opwright.model.worker import Remark, StatusUpdate, Task, Worker, WorkerState
from opwright.telemetry import emit, logger
from opwright.workers.attempt import too_large
from opwright.workers.child import Child, Limits
from opwright.workers.current import ignore
from opwright.workers.pool import OnRemarks, OnRoom, OnUpdates, Running, may_wait

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 30.0  # seconds before a worker that could not be heated is tried again


class ProcessPool:
    """``size`` worker processes, each kept by a task that heats another one when it dies or retires.

    ``command`` makes the arguments of a worker that serves the given file descriptor (see ``process.serve``). A worker that
    has ended ``recycle_after`` operations, or holds more than ``recycle_memory`` bytes, is replaced.
    """

    def __init__(
        self,
        command: Callable[[int], list[str]],
        size: int,
        *,
        on_updates: OnUpdates,
        on_room: OnRoom,
        on_remarks: OnRemarks = ignore,
        env: Mapping[str, str] | None = None,
        recycle_after: int | None = None,
        recycle_memory: int | None = None,
    ) -> None:
        self._command = command
        self._size = size
        self._env = env
        self._limits = Limits(recycle_after, recycle_memory)
        self._tell_updates = on_updates
        self._tell_room = on_room
        self._tell_remarks = on_remarks
        self._children: list[Child] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._numbers = count(1)
        self._told: str | None = None  # what was logged last about an application that cannot be set up
        self._empty = asyncio.Event()

    # ------------------------------------------------------------------------------------------ start and stop

    async def start(self) -> None:
        """Start every process, and return before they are ready."""
        if not self._keepers:
            self._keepers = [asyncio.create_task(self._keep()) for _ in range(self._size)]
            await asyncio.sleep(0)  # the first step of each starts its process

    async def stop(self, grace: float, kill_after: float) -> None:
        """End every process: let it finish, ask it, kill it; and wait until none is left."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for child in tuple(self._children):
            if child.state is WorkerState.PENDING:
                child.kill()
            else:
                child.retire()
        if not await self._emptied(grace):
            for running in self.running().values():
                self.cancel(running.operation, running.token, kill_after)
        if not await self._emptied(kill_after):
            for child in tuple(self._children):
                child.kill()
        await self._emptied(None)

    async def _emptied(self, seconds: float | None) -> bool:
        """Whether no process is left, within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while self._children:
                    self._empty.clear()
                    await self._empty.wait()
        except TimeoutError:
            return False
        return True

    async def _keep(self) -> None:
        """Keep one worker alive, for ever."""
        failures = 0
        while True:
            error = await self._heated()
            if error is None:
                failures = 0
                self._told = None
            else:
                failures += 1
                await self._pause(error, failures)

    async def _heated(self) -> str | None:
        """Start a worker and stay with it until another is needed. Returns why it did not become ready."""
        try:
            child = Child(f"worker-{next(self._numbers)}", self._command, self._env, self._limits, self)
        except OSError as refused:
            return f"no process could be started: {refused}"
        except Exception as wrong:  # noqa: BLE001 - whatever it is, this place is not to stay empty
            return f"no process could be started: {wrong!r}"
        self._children.append(child)
        await child.connect()
        error = await child.heated
        if error is None:
            await child.replaceable
        return error

    async def _pause(self, error: str, failures: int) -> None:
        longest = min(FIRST_PAUSE * 2 ** min(failures - 1, 20), LONGEST_PAUSE)
        pause = longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        emit("worker.broken", error=error, failures=failures, pause=pause)
        if error != self._told:
            self._told = error
            logger.error("a worker could not be set up, trying again: %s", error)
        await asyncio.sleep(pause)

    # ---------------------------------------------------------------------------------------------------- work

    def free(self) -> int:
        return sum(child.free() for child in self._children)

    def place(self, task: Task, expected: float | None) -> bool:
        ahead = may_wait(expected)
        rooms = [child for child in self._children if child.room(task, ahead)]
        if not rooms:
            return False
        if (refused := too_large(task)) is not None:
            asyncio.get_running_loop().call_soon(self.on_updates, [refused])
            return True
        child = min(rooms, key=_waiting)
        child.give(task, quick=ahead > 0)
        return True

    def cancel(self, operation: int, token: int, kill_after: float) -> None:
        for child in self._children:
            if child.ledger.held(operation, token) is not None:
                child.cancel(operation, token, kill_after)

    def kill(self, worker: str, why: str) -> None:
        for child in self._children:
            if child.name == worker:
                child.condemn(why)

    def recall(self) -> None:
        for child in self._children:
            child.recall()

    def unstick(self) -> None:
        for child in self._children:
            child.unstick()

    # ------------------------------------------------------------------------------------- what can be asked

    def workers(self) -> tuple[Worker, ...]:
        return self._in(WorkerState)

    def pending(self) -> tuple[Worker, ...]:
        return self._in((WorkerState.PENDING,))

    def free_workers(self) -> tuple[Worker, ...]:
        return self._in((WorkerState.FREE,))

    def active(self) -> tuple[Worker, ...]:
        return self._in((WorkerState.ACTIVE,))

    def _in(self, states: Iterable[WorkerState]) -> tuple[Worker, ...]:
        wanted = frozenset(states)
        return tuple(child.worker(state) for child in self._children if (state := child.state) is not None and state in wanted)

    def running(self) -> dict[int, Running]:
        return {running.operation: running for child in self._children for running in child.running()}

    def begun_at(self, operation: int) -> int | None:
        running = self.running().get(operation)
        return None if running is None else running.begun

    # ---------------------------------------------------------------------------------- what the workers tell

    def on_updates(self, updates: list[StatusUpdate]) -> None:
        """Pass them on. Whatever the receiver raises is its own; the channel must go on."""
        try:
            self._tell_updates(updates)
        except Exception:  # noqa: BLE001 - see above
            logger.exception("updates of %d operations were not taken", len(updates))

    def on_remarks(self, remarks: list[Remark]) -> None:
        """Pass them on, as above."""
        try:
            self._tell_remarks(remarks)
        except Exception:  # noqa: BLE001 - see above
            logger.exception("%d remarks of operations were not taken", len(remarks))

    def on_room(self) -> None:
        """Pass it on, as above."""
        try:
            self._tell_room()
        except Exception:  # noqa: BLE001 - see above
            logger.exception("room for operations was not taken")

    def on_dead(self, child: Child) -> None:
        """Forget a dead worker."""
        self._children.remove(child)
        if not self._children:
            self._empty.set()


def _waiting(child: Child) -> int:
    return len(child.ledger) - child.ledger.slots

"""What the scheduler is to a pool: it places tasks, keeps every update, and waits for named moments."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import psutil

from opwright.model.worker import Remark, StatusUpdate, Task
from opwright.telemetry import listen
from opwright.workers.pool import Pool
from opwright.workers.processes import ProcessPool

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0  # seconds; only a failing test waits so long
QUICK = 0.00001  # seconds that a trigger is said to run, so that 50 may wait
TOKEN = 77


def command(slots: int = 1, program: str = "application") -> Callable[[int], list[str]]:
    return lambda fd: [sys.executable, "-m", f"tests.workers.{program}", str(fd), str(slots)]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


class Host:
    """Places tasks in ``pool`` and remembers what came back; the same operation coming back twice is an error."""

    pool: Pool

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.updates: dict[int, StatusUpdate] = {}
        self.order: list[int] = []
        self.batches: list[int] = []
        self.remarks: list[Remark] = []
        self.rooms = 0
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._numbers = count(1)
        self._changed = asyncio.Event()
        self._forget = listen(self._on_event)

    def close(self) -> None:
        self._forget()

    def processes(self, size: int = 2, slots: int = 1, program: str = "application", **options: Any) -> ProcessPool:
        """Make a process pool, and use it from now on."""
        options.setdefault("env", environment())
        pool = ProcessPool(
            command(slots, program), size, on_updates=self.on_updates, on_room=self.on_room, on_remarks=self.on_remarks, **options
        )
        self.pool = pool
        return pool

    async def heated(self, size: int = 2, slots: int = 1, **options: Any) -> ProcessPool:
        """The same, started and ready."""
        pool = self.processes(size, slots, **options)
        await pool.start()
        await self.until(lambda: len(pool.free_workers()) == size)
        return pool

    def on_updates(self, updates: list[StatusUpdate]) -> None:
        self.batches.append(len(updates))
        for update in updates:
            assert update.operation not in self.updates, f"came back twice: {update}"
            self.updates[update.operation] = update
            self.order.append(update.operation)
        self._changed.set()

    def on_remarks(self, remarks: list[Remark]) -> None:
        for remark in remarks:
            assert remark.operation not in self.updates, f"came after its end: {remark}"
        self.remarks += remarks
        self._changed.set()

    def on_room(self) -> None:
        self.rooms += 1
        self._changed.set()

    def _on_event(self, name: str, fields: dict[str, Any]) -> None:
        self.events.append((name, fields))
        self._changed.set()

    def place(self, trigger: str, expected: float | None = None, *, answers: tuple[str, ...] = (), **inputs: Any) -> int:
        """Place a task for which there must be room; returns its operation."""
        operation = next(self._numbers)
        assert self.pool.place(Task(operation, TOKEN, 1, trigger, json.dumps(inputs), answers), expected)
        return operation

    async def begin(self, trigger: str, expected: float | None = None, **inputs: Any) -> int:
        """Place a task and wait until its trigger has really begun."""
        path = self.directory / f"begun-{len(list(self.directory.iterdir()))}"
        operation = self.place(trigger, expected, path=str(path), **inputs)
        await file_appears(path)
        return operation

    async def holding(self, trigger: str, expected: float | None = None) -> int:
        """The same with ``stay`` or ``stay_now``, which end only after ``release``."""
        return await self.begin(trigger, expected, gate=self.gate)

    @property
    def gate(self) -> str:
        """The file for which ``stay`` and ``stay_now`` wait."""
        return str(self.directory / "gate")

    def release(self) -> None:
        """Let everything end that waits at the gate."""
        Path(self.gate).touch()

    def said(self, operation: int) -> list[str]:
        """The texts of its remarks so far."""
        return [remark.text for remark in self.remarks if remark.operation == operation]

    def has_room(self, expected: float | None = None) -> bool:
        """Whether one more would be taken; takes it."""
        return self.pool.place(Task(next(self._numbers), TOKEN, 1, "noop", "{}"), expected)

    def cancel(self, operation: int, kill_after: float = PATIENCE) -> None:
        self.pool.cancel(operation, TOKEN, kill_after)

    async def until(self, happened: Callable[[], Any], patience: float = PATIENCE) -> None:
        """Wait until it has happened; looked at whenever the pool says anything."""
        async with asyncio.timeout(patience):
            while not happened():
                self._changed.clear()
                await self._changed.wait()

    async def update(self, operation: int, patience: float = PATIENCE) -> StatusUpdate:
        """The update of an operation, when it has come."""
        await self.until(lambda: operation in self.updates, patience)
        return self.updates[operation]

    async def run(self, trigger: str, **inputs: Any) -> StatusUpdate:
        """Place a task and wait for its update."""
        return await self.update(self.place(trigger, **inputs))

    async def result(self, trigger: str, **inputs: Any) -> Any:
        """What a trigger returned."""
        update = await self.run(trigger, **inputs)
        assert update.error is None, update.error
        return None if update.result is None else json.loads(update.result)

    def named(self, name: str) -> list[dict[str, Any]]:
        """The telemetry events of that name."""
        return [fields for event, fields in self.events if event == name]


async def file_appears(path: Path) -> None:
    """Wait until another process has made a file: it has no way to tell this one."""
    async with asyncio.timeout(PATIENCE):
        while not path.exists():  # noqa: ASYNC110, ASYNC240 - nothing else tells
            await asyncio.sleep(0.002)


async def gone(pid: int) -> None:
    """Wait until no such process runs."""
    async with asyncio.timeout(PATIENCE):
        while alive(pid):  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0.002)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

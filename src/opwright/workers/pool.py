"""The interface of both pools, and the one rule about work given ahead.

A pool takes three callbacks, which it calls in the event loop. ``on_updates`` gets the updates in batches, as they come.
``on_remarks`` gets what running operations say of themselves, always before the update that ends them. ``on_room`` says that
there is room which no update announced: a worker became ready, or its channel flows again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from opwright.model.worker import Outcome, Remark, StatusUpdate, Task, Worker

OnUpdates = Callable[[list[StatusUpdate]], None]
OnRemarks = Callable[[list[Remark]], None]
OnRoom = Callable[[], None]

FAST = 0.005  # seconds; what is slower, or was never measured, is never given ahead
WORK_AHEAD = 0.003  # seconds of work that may wait in one worker
MOST_AHEAD = 50  # tasks; more fills no frame better


class Running(NamedTuple):
    """An operation that has begun; ``begun`` in microseconds by the host's clock."""

    operation: int
    token: int
    pid: int
    begun: int


class Pool(Protocol):
    """Where the scheduler places tasks. Every placed task comes back as exactly one update."""

    async def start(self) -> None:
        """Heat every worker. Returns at once: they are PENDING until each one says that it is ready."""

    async def stop(self, grace: float, kill_after: float) -> None:
        """End everything, and wait until it has ended.

        What has not begun comes back as RETURNED. What runs has ``grace`` seconds, is then asked to stop, and is killed
        ``kill_after`` seconds later. May be called again, also meanwhile and with less patience.
        """

    def free(self) -> int:
        """How many tasks could begin at once."""

    def place(self, task: Task, expected: float | None) -> bool:
        """Give a task away; False when there is no room.

        Room is a free slot, or a place in a queue if ``expected``, the mean seconds that this trigger was measured to run,
        is short enough (``may_wait``). ``None`` is a trigger never measured.
        """

    def cancel(self, operation: int, token: int, kill_after: float) -> None:
        """Ask an operation to stop, and kill what still runs it ``kill_after`` seconds later.

        If it has not begun it comes back as RETURNED. One that is not here, or under another token, is left alone.
        """

    def kill(self, worker: str, why: str) -> None:
        """Kill the worker of this name; what runs in it comes back as DIED, and ``why`` is said there."""

    def recall(self) -> None:
        """Let everything that has not begun come back as RETURNED."""

    def unstick(self) -> None:
        """Let come back what waits behind an operation that runs much longer than its trigger was measured to."""

    def workers(self) -> tuple[Worker, ...]:
        """All live workers: the three sets below, which are disjoint."""

    def pending(self) -> tuple[Worker, ...]:
        """Workers that are not ready yet; never given a task."""

    def free_workers(self) -> tuple[Worker, ...]:
        """Ready workers without an operation."""

    def active(self) -> tuple[Worker, ...]:
        """Workers with an operation."""

    def running(self) -> dict[int, Running]:
        """What has begun and not ended, by operation."""

    def begun_at(self, operation: int) -> int | None:
        """When a running operation began, in microseconds; ``None`` if it does not run here."""


def may_wait(expected: float | None) -> int:
    """How many tasks that run so many seconds may wait in a worker behind the one that runs: about 3 ms of work."""
    if expected is None or expected >= FAST:
        return 0
    if expected * MOST_AHEAD <= WORK_AHEAD:
        return MOST_AHEAD
    return max(int(WORK_AHEAD / expected), 1)


def returned(task: Task) -> StatusUpdate:
    """The update of a task that never began."""
    return StatusUpdate(task.operation, task.token, Outcome.RETURNED)

"""A scheduler on a real store, with a pool that does what the test says."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from opwright.clock import TurnedClock
from opwright.model.claim import Claim
from opwright.model.host import Renewal
from opwright.model.worker import Outcome, StatusUpdate, Task, Worker, WorkerState
from opwright.scheduler.cancelling import CANCEL_PERIOD
from opwright.scheduler.lease import Identity, Lease, Terms
from opwright.scheduler.rhythm import Rhythm
from opwright.scheduler.scheduler import Scheduler
from opwright.scheduler.settler import Settler
from opwright.store.engine import Engine
from opwright.store.queue import Peek, Queue
from opwright.store.store import Store
from opwright.workers.pool import Running, may_wait
from tests.contract.kit import TRIGGER

PATIENCE = 10.0
SEED = Rhythm(heartbeat=2.0, look_ahead=False)
AHEAD = Rhythm(heartbeat=2.0, look_ahead=True)


def eventually(check: Callable[[], bool], what: str) -> Any:
    """Wait for a moment that must come."""

    async def wait() -> None:
        deadline = time.monotonic() + PATIENCE
        while not check():
            assert time.monotonic() < deadline, f"it never came: {what}"
            await asyncio.sleep(0.002)

    return wait()


class SmallPool:
    """So many slots, and a queue behind them for what is fast. Nothing runs: the test tells how each task ends."""

    def __init__(self, slots: int, clock: TurnedClock) -> None:
        self.slots = slots
        self.placed: list[Task] = []
        self.held: dict[int, Task] = {}
        self.begun: dict[int, int] = {}
        self.cancelled: list[tuple[int, int, float]] = []
        self.killed: list[tuple[str, str]] = []
        self.shown: tuple[Worker, ...] = ()
        self._clock = clock

    async def start(self) -> None: ...

    async def stop(self, grace: float, kill_after: float) -> None: ...

    def free(self) -> int:
        return max(self.slots - len(self.held), 0)

    def place(self, task: Task, expected: float | None) -> bool:
        if len(self.held) >= self.slots + (4 if may_wait(expected) else 0):
            return False
        if len(self.held) < self.slots:
            self.begun[task.operation] = self._clock.now()
        self.held[task.operation] = task
        self.placed.append(task)
        return True

    def cancel(self, operation: int, token: int, kill_after: float) -> None:
        self.cancelled.append((operation, token, kill_after))

    def kill(self, worker: str, why: str) -> None:
        self.killed.append((worker, why))

    def recall(self) -> None: ...

    def unstick(self) -> None: ...

    def workers(self) -> tuple[Worker, ...]:
        return self.shown

    def pending(self) -> tuple[Worker, ...]:
        return self._in(WorkerState.PENDING)

    def free_workers(self) -> tuple[Worker, ...]:
        return self._in(WorkerState.FREE)

    def active(self) -> tuple[Worker, ...]:
        return self._in(WorkerState.ACTIVE)

    def _in(self, state: WorkerState) -> tuple[Worker, ...]:
        return tuple(worker for worker in self.shown if worker.state is state)

    def running(self) -> dict[int, Running]:
        return {one: Running(one, self.held[one].token, 1, begun) for one, begun in self.begun.items()}

    def begun_at(self, operation: int) -> int | None:
        return self.begun.get(operation)

    def end(self, task: Task, outcome: Outcome = Outcome.DONE, *, seconds: float = 1.0, **told: Any) -> StatusUpdate:
        """The update of a task that this pool no longer holds."""
        self.held.pop(task.operation, None)
        begun = self.begun.pop(task.operation, None)
        ended = None if begun is None else begun + round(seconds * 1e6)
        if outcome is Outcome.DONE:
            told.setdefault("result", "1")
        return StatusUpdate(task.operation, task.token, outcome, begun=begun, ended=ended, **told)


class WatchedQueue(Queue):
    """The real gateway; it remembers what was asked of it, and can lose an answer."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.claims: list[tuple[str, int, int, bool]] = []  # queue, limit, got, ahead
        self.peeks = 0
        self.looks = 0  # for lost claims
        self.lose: Exception | None = None
        self.meanwhile: Callable[[], Awaitable[None]] | None = None  # what happens while the next look's answer is on its way

    async def peek(self) -> Peek:
        self.peeks += 1
        answer = await super().peek()
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return answer

    async def claims_of(self, host: int) -> list[tuple[int, int]]:
        self.looks += 1
        return await super().claims_of(host)

    async def claim(
        self, *, host: int, token: int, queue: str, triggers: list[str], limit: int, ahead: bool = False
    ) -> list[Claim]:
        found = await super().claim(host=host, token=token, queue=queue, triggers=triggers, limit=limit, ahead=ahead)
        lose, self.lose = self.lose, None
        if lose is not None:
            raise lose
        self.claims.append((queue, limit, len(found), ahead))
        return found


class Bench:
    """Everything a scheduler needs, and short words for what a test does with it."""

    def __init__(self, store: Store, clock: TurnedClock, slots: int, rhythm: Rhythm, triggers: Sequence[str]) -> None:
        self.store = store
        self.clock = clock
        self.pool = SmallPool(slots, clock)
        self.queue = WatchedQueue(store.engine)
        self.renewals: list[Renewal] = []
        self.losses = 0
        self.told = 0  # how often other hosts were told that there is something for them
        identity = Identity("bench", 1, "1.0", rhythm.queues, list(triggers))
        self.lease = Lease(store.hosts, identity, Terms(), clock, renewed=self._renewed, lost=self._lost)
        self.settler = Settler(self.queue, lambda: self.lease.host, landed=lambda written: self.scheduler.landed(written))  # noqa: PLW0108 - it is made below
        self.scheduler = Scheduler(
            queue=self.queue, pool=lambda: self.pool, lease=self.lease, settler=self.settler, rhythm=rhythm,
            triggers=list(triggers), clock=clock, placed=self._tell,
        )  # fmt: skip

    async def step(self) -> float:
        """One step of the scheduler."""
        return await self.scheduler.run_once()

    async def look(self) -> float:
        """One step that looks at the queue."""
        self.scheduler.news()
        return await self.steps()

    async def steps(self) -> float:
        """Steps until it would pause."""
        for _ in range(50):
            pause = await self.step()
            if pause > 0:
                return pause
        raise AssertionError("it never pauses")

    async def end(self, task: Task, outcome: Outcome = Outcome.DONE, **told: Any) -> None:
        """A worker reports, and the verdict is written."""
        self.scheduler.updates([self.pool.end(task, outcome, **told)])
        await self.settler.run_once()

    async def cancel(self, operation: int) -> None:
        """Somebody asks to cancel it, and this host looks."""
        await self.store.operations.cancel(operation, "enough")
        await self.look_for_cancels()

    async def look_for_cancels(self) -> None:
        """A step for which cancel requests are due."""
        self.clock.turn(CANCEL_PERIOD + 0.01)
        await self.look()

    @property
    def placed(self) -> list[int]:
        """The operations that went to a worker, in order."""
        return [task.operation for task in self.pool.placed]

    async def _renewed(self, renewal: Renewal) -> None:
        self.renewals.append(renewal)

    async def _lost(self) -> None:
        self.losses += 1

    def _tell(self) -> None:
        self.told += 1


async def bench(
    store: Store, clock: TurnedClock, slots: int = 1, rhythm: Rhythm = SEED, triggers: Sequence[str] = (TRIGGER,)
) -> Bench:
    """A bench whose host is registered."""
    made = Bench(store, clock, slots, rhythm, triggers)
    await made.lease.register()
    return made

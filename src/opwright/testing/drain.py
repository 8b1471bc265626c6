"""Carry out what is ready, in this process, one after the other, until nothing is left: by a host that is driven by hand."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

import msgspec

from opwright.app.application import Opwright
from opwright.app.host import Host
from opwright.clock import SECOND, TurnedClock
from opwright.errors import ConfigurationError, OperationFailed
from opwright.model.operation import Operation
from opwright.model.status import OutcomeCode, Status
from opwright.model.worker import Outcome, StatusUpdate
from opwright.operations.call import Call
from opwright.operations.client import Client
from opwright.operations.registry import Registry
from opwright.operations.trigger import Trigger
from opwright.settings import resolve
from opwright.workers.drive import outside_loop
from opwright.workers.inline import InlinePool
from opwright.workers.pool import OnRemarks, OnRoom, OnUpdates, Pool
from opwright.workers.runner import Runner
from opwright.workers.slots import Slots

T = TypeVar("T")
_draining: ContextVar[frozenset[Client]] = ContextVar("opwright_draining", default=frozenset())
FAULTS = {Outcome.FAILED, Outcome.INVALID, Outcome.UNKNOWN}


class Drained(msgspec.Struct, frozen=True):
    """What a drain did. ``attempts``: how many it carried out. ``ended``: the operations that ended by them, in that order."""

    attempts: int
    ended: tuple[Operation, ...]

    @property
    def counts(self) -> Counter[Status]:
        """How many ended how."""
        return Counter(operation.status for operation in self.ended)


def drain(
    ops: Opwright,
    *,
    triggers: Iterable[Trigger[Any, Any] | str] | None = None,
    with_delayed: bool = False,
    limit: int = 1000,
    raises: bool = True,
) -> Call[Drained]:
    """Carry out what is ready in this process, in the order of claims, and what that submits, until nothing is left.

    ``triggers``: only these. ``with_delayed``: when nothing is ready, turn the clock on to the next due time, for delays, retries
    and waits; it needs a TurnedClock. ``limit``: attempts after which the drain gives up with a RuntimeError. ``raises``: end
    with an OperationFailed at the first attempt that fails, retries left or not; without it, errors are retried and recorded as
    by any host.

    With ``.now()`` it all happens in the calling thread. Raises UnknownTrigger, ConfigurationError.
    """
    if with_delayed and not isinstance(ops.client.clock, TurnedClock):
        raise ConfigurationError("with_delayed needs a clock that can be turned: relocated(ops, url, clock=TurnedClock())")
    registry = _chosen(ops.registry, triggers)
    return Call(
        "drain()",
        lambda: _drain(ops, registry, limit, with_delayed=with_delayed, raises=raises),
        lambda: here(_drain(ops, registry, limit, with_delayed=with_delayed, raises=raises)),
    )


def draining(ops: Opwright) -> bool:
    """Whether this code runs within a drain of the application."""
    return ops.client in _draining.get()


def here(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in this very thread, so that triggers see what belongs to it: transactions, connections."""
    if asyncio._get_running_loop() is not None:  # noqa: SLF001 - synchronous code that a coroutine has called
        return outside_loop(lambda _: here(work), copy_context())
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:  # a factory: the thread's own loop is left alone
        return runner.run(work)


async def _drain(ops: Opwright, registry: Registry, limit: int, *, with_delayed: bool, raises: bool) -> Drained:
    token = _draining.set(_draining.get() | {ops.client})
    try:
        async with _DrivenHost(ops, registry) as host:
            while await host.turn() or (with_delayed and await host.turn_clock()):
                if raises and (failure := await host.failure()) is not None:
                    raise failure
                if len(host.updates) > limit:
                    raise RuntimeError(f"not empty after {limit} attempts: does one of {registry.names()} submit itself?")
            return Drained(len(host.updates), await host.ended())
    finally:
        _draining.reset(token)


def _chosen(registry: Registry, triggers: Iterable[Trigger[Any, Any] | str] | None) -> Registry:
    if triggers is None:
        return registry
    chosen = Registry()
    chosen.preparations, chosen.arounds = registry.preparations, registry.arounds
    for trigger in triggers:
        chosen.add(registry.get(trigger if isinstance(trigger, str) else trigger.name))
    return chosen


class _DrivenHost(Host):
    """A host that does one operation when asked, and nothing by itself.

    Without housekeeping: when chosen triggers are drained, it would let the others end as unknown.
    """

    def __init__(self, ops: Opwright, registry: Registry) -> None:
        settings = resolve({"pool": "inline", "slots": 1, "look_ahead": 0, "queues": None, "stop_grace": 0})
        super().__init__(ops.client, registry, settings, ops.client.clock, ops.target, reading=ops.reading)
        self.updates: list[StatusUpdate] = []
        self._arrived = asyncio.Event()

    async def turn(self) -> bool:
        """Claim an operation, carry it out, write its verdict; False when there was none."""
        await self._lease.run_once()  # first: without it nothing is claimed after the clock was turned
        self._scheduler.news()
        await self._scheduler.run_once()
        while self._scheduler.holdings.claims:
            await self._arrived.wait()
            self._arrived.clear()
        settled = self._settler.backlog > 0
        await self._settler.run_once()
        return settled

    async def failure(self) -> OperationFailed | None:
        """What went wrong in the last attempt, if anything did."""
        if not self.updates:
            return None
        last = self.updates[-1]
        if last.outcome in FAULTS:
            return OperationFailed(last.operation, last.error)
        code, _, error = (await self._store.operations.ended([last.operation])).get(last.operation, (None, None, None))
        return OperationFailed(last.operation, error) if code is OutcomeCode.FAILED else None

    async def stop(self, grace: float | None = None) -> None:
        """What a drain that was interrupted leaves behind is handed back."""
        self._services = [self._settler]
        await self._settler.start()
        await super().stop(grace)

    async def turn_clock(self) -> bool:
        """On to the next moment at which something is due, or may have a slot of its limit; False when nothing waits for one."""
        counts = await self._store.operations.counts()
        if not counts[Status.PENDING] + counts[Status.WAIT]:
            return False
        peek = await self._store.queue.peek()
        ahead = [moment for moment in (peek.due, peek.free) if moment is not None and moment > peek.now]
        if not ahead or not isinstance(self._clock, TurnedClock):
            return False
        self._clock.turn((min(ahead) - peek.now) / SECOND)
        return True

    async def ended(self) -> tuple[Operation, ...]:
        """What ended by the attempts that were made here."""
        made = dict.fromkeys(update.operation for update in reversed(self.updates))
        operations = [await self._store.operations.get(operation) for operation in reversed(made)]
        return tuple(operation for operation in operations if operation.status.ended)

    def _build(self) -> None:
        super()._build()
        self._services = []

    def _make_pool(self) -> Pool:
        scheduler = self._scheduler
        return _Here(self._registry, on_updates=self._heard, on_remarks=scheduler.remarks, on_room=scheduler.room)

    def _heard(self, updates: list[StatusUpdate]) -> None:
        self.updates += [update for update in updates if update.outcome is not Outcome.RETURNED]
        self._scheduler.updates(updates)
        self._arrived.set()


class _Here(InlinePool):
    """One slot, and synchronous triggers in the calling thread, where the test's transactions and connections are."""

    def __init__(self, runner: Runner, *, on_updates: OnUpdates, on_remarks: OnRemarks, on_room: OnRoom) -> None:
        super().__init__(runner, 1, on_updates=on_updates, on_remarks=on_remarks, on_room=on_room)
        self._slots = Slots(runner, 1, self._report, self._remark, interrupt=lambda: None)

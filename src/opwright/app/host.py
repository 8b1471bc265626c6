"""A host: one running Opwright instance. Builds its services, starts them in order and stops them in the reverse."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from typing import Any, Self

from opwright.app import child
from opwright.app.log_reading import LogReading
from opwright.app.maintenance import core_job_manager
from opwright.app.patience import patiently
from opwright.app.target import Target, loading
from opwright.clock import Clock
from opwright.errors import ConfigurationError, StoreError
from opwright.model.host import Renewal
from opwright.model.operation import NewOperation
from opwright.model.worker import Worker
from opwright.operations.client import Client
from opwright.operations.registry import Registry
from opwright.scheduler.expiry import Expiry, Limits
from opwright.scheduler.housekeeping import Housekeeping
from opwright.scheduler.lease import Identity, Lease, Terms
from opwright.scheduler.rhythm import Rhythm
from opwright.scheduler.scheduler import Scheduler
from opwright.scheduler.settler import Settler
from opwright.scheduler.verdicts import Patience
from opwright.scheduler.vigil import Vigil
from opwright.service import Service
from opwright.settings import Settings
from opwright.store.engine import Engine
from opwright.store.here import Offer
from opwright.store.queue import Marked
from opwright.store.store import Store
from opwright.telemetry import emit, logger
from opwright.version import VERSION
from opwright.watch.watcher import watcher_for
from opwright.workers.inline import InlinePool
from opwright.workers.memory import readable
from opwright.workers.pool import Pool
from opwright.workers.processes import ProcessPool

FLUSH_SECONDS = 10.0
GOOD_BYE_SECONDS = 5.0
INLINE_SLOTS = 100
STANDSTILL = 60.0  # seconds that a step may take before the lease is no longer renewed; a statement is given up after 35


class Host:
    """Enter it (``async with ops.host():``) to have operations done until the block ends, or ``run()`` it until a signal."""

    def __init__(
        self,
        client: Client,
        registry: Registry,
        settings: Settings,
        clock: Clock,
        target: Callable[[], Target],
        *,
        reading: LogReading,
    ) -> None:
        self.settings = settings
        self._client = client
        self._registry = registry
        self._clock = clock
        self._target = target
        self._reading = reading
        self._services: list[Service] = []
        self._pool: Pool
        self._store: Store
        self._scheduler: Scheduler
        self._settler: Settler
        self._lease: Lease
        self._housekeeping: Housekeeping
        self._unhook: Callable[[], None] = lambda: None
        self._started = False
        self._marked: dict[int, Marked] = {}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def id(self) -> int:
        """The host's row; a host that was taken over returns under a new one."""
        return self._lease.host

    def workers(self) -> tuple[Worker, ...]:
        """All live workers."""
        return self._pool.workers()

    def pending(self) -> tuple[Worker, ...]:
        """Workers that have not signalled ``ready`` yet."""
        return self._pool.pending()

    def free(self) -> tuple[Worker, ...]:
        """Ready workers without an operation."""
        return self._pool.free_workers()

    def active(self) -> tuple[Worker, ...]:
        """Ready workers with an operation."""
        return self._pool.active()

    async def start(self) -> None:
        """Register, heat the workers, begin to claim. Returns while workers are still pending. Raises ConfigurationError."""
        if self._started:
            return
        if loading():  # or each worker would start a host with workers of its own
            raise ConfigurationError(
                "this program starts a host while it is imported: put that under `if __name__ == '__main__':`"
            )
        self._registry.prepare()
        self._store = await patiently(self._client.retain)
        try:
            self._build()
            await patiently(self._lease.register)
            await self._pool.start()
        except BaseException:
            self._unhook()
            with suppress(StoreError, TimeoutError):  # whoever registered and cannot start is no host
                async with asyncio.timeout(GOOD_BYE_SECONDS):
                    await self._lease.say_good_bye()
            await self._client.release()
            raise
        for service in self._services:
            await service.start()
        await self._reading.enter()
        self._started = True
        emit("host.started", host=self.id)

    async def stop(self, grace: float | None = None) -> None:
        """Stop claiming, let what runs finish within ``grace`` seconds, hand the rest back uncharged, end every worker."""
        if not self._started:
            return
        self._started = False
        self._lease.leaving = True
        patience = self.settings.stop_grace if grace is None else grace
        self._unhook()
        self._scheduler.stop_claiming()
        out_of_patience = asyncio.get_running_loop().call_later(patience, self._run_out_of_patience)
        await self._pool.stop(patience, self.settings.kill_after)
        out_of_patience.cancel()
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._scheduler.arrived()
        await self._settler.flush(FLUSH_SECONDS)
        for service in reversed(self._services):
            await service.stop()
        with suppress(StoreError, TimeoutError):  # who cannot say good-bye is taken over when the lease ends
            async with asyncio.timeout(GOOD_BYE_SECONDS):
                await self._lease.say_good_bye()
        await self._reading.leave()
        emit("host.stopped", host=self.id)
        await self._client.release()

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT; a second signal stops without waiting for what runs."""
        stop, hurry = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: hurry.set() if stop.is_set() else stop.set())
        try:
            if not await _unless(stop, self.start()):
                return
            await stop.wait()
            logger.info("stopping: running operations have %g s", self.settings.stop_grace)
            await self._stop_or_hurry(hurry)
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    async def _stop_or_hurry(self, hurry: asyncio.Event) -> None:
        stopping = asyncio.create_task(self.stop())
        hurrying = asyncio.create_task(hurry.wait())
        await asyncio.wait({stopping, hurrying}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            self._run_out_of_patience()
            await self._pool.stop(0, 0)
        hurrying.cancel()
        await stopping

    def _build(self) -> None:
        """Every service, in the order of their start."""
        settings, store = self.settings, self._store
        identity = Identity(
            f"{socket.gethostname()}:{os.getpid()}", os.getpid(), VERSION, settings.queues, self._registry.names()
        )
        terms = Terms(settings.lease, settings.renew, margin=min(2.0, settings.renew / 2))
        vigil = Vigil(lambda: (self._scheduler, self._settler), self._clock, bound=STANDSTILL, gap=2 * settings.renew)
        self._lease = Lease(
            store.hosts, identity, terms, self._clock, renewed=self._renewed, lost=self._lost, workers=self.workers,
            hanging=vigil.hanging,
        )  # fmt: skip
        self._settler = Settler(
            store.queue, lambda: self._lease.host,
            landed=self._landed, returned=self._returned, freed=self._freed, written=store.engine.notify_ends,
        )  # fmt: skip
        rhythm = Rhythm(
            settings.heartbeat, settings.kill_after, look_ahead=settings.look_ahead == "auto", queues=settings.queues,
            patience=Patience(settings.wait_interval, settings.waits, settings.maximum_processing),
        )  # fmt: skip
        self._scheduler = Scheduler(
            queue=store.queue, pool=lambda: self._pool, lease=self._lease, settler=self._settler, rhythm=rhythm,
            triggers=self._registry.names(), clock=self._clock, placed=store.engine.notify,
        )  # fmt: skip
        self._housekeeping = Housekeeping(
            store.queue, store.hosts, self._clock, host=lambda: self._lease.host,
            leftover=lambda: self._scheduler.leftover, followers=lambda: self._scheduler.followers,
            unknown_after=settings.unknown_after, returned=self._returned,
        )  # fmt: skip
        expiry = Expiry(self._scheduler, lambda: self._pool, self._clock, _limits(settings))
        watcher = watcher_for(store.engine, self._scheduler.news)
        self._services = [
            self._settler, self._scheduler, self._lease, self._housekeeping, expiry,
            core_job_manager(settings, store, self._clock), *([watcher] if watcher else []),
        ]  # fmt: skip
        for service in self._services:
            service.outage = store.outage
        self._pool = self._make_pool()
        loop = asyncio.get_running_loop()
        hooks = ExitStack()
        hooks.callback(self._client.on_wake(lambda: _wake(loop, self._scheduler)))
        hooks.callback(self._client.on_submit(self._offer))
        self._unhook = hooks.close

    def _make_pool(self) -> Pool:
        settings, scheduler = self.settings, self._scheduler
        if settings.pool == "inline":
            return InlinePool(
                self._registry, slots=settings.slots or INLINE_SLOTS,
                on_updates=scheduler.updates, on_remarks=scheduler.remarks, on_room=scheduler.room,
            )  # fmt: skip
        slots = settings.slots or 1
        before = child.command(self._target(), slots)
        return ProcessPool(
            lambda fd: [*before, str(fd)], settings.workers,
            on_updates=scheduler.updates, on_remarks=scheduler.remarks, on_room=scheduler.room,
            recycle_after=settings.recycle_after, recycle_memory=_bytes(settings.recycle_megabytes),
        )  # fmt: skip

    def _offer(self, engine: Engine, operation: NewOperation) -> Offer | None:
        """A free slot for what is submitted in the event loop of this host, to the database it works on."""
        return self._scheduler.offer(operation) if engine is self._store.engine else None

    def _landed(self, operations: set[int]) -> None:
        """Whoever in this process waits for one of these need not wait for the next poll."""
        self._scheduler.landed(operations)
        self._client.settled(operations)

    def _returned(self) -> None:
        """Something is ready again: no host is to wait for its heartbeat to see it."""
        self._scheduler.news()
        self._store.engine.notify()

    def _freed(self) -> None:
        """A slot may have fallen free, or something was handed back: place it, and let other hosts look too."""
        self._scheduler.freed()
        self._store.engine.notify()

    async def _renewed(self, renewal: Renewal) -> None:
        """With each renewal: what has run longer than one is written down, and the dead are told to housekeeping."""
        self._store.engine.crowded = renewal.others > 0
        self._housekeeping.dead_hosts = renewal.dead > 0
        if renewal.dead:
            self._housekeeping.wake()
        await self._mark_long_running()

    async def _mark_long_running(self) -> None:
        since = self._clock.now() - round(self.settings.renew * 1e6)
        long = [running for running in self._pool.running().values() if running.begun < since]
        touched = self._scheduler.holdings.touched
        marks = {
            one.operation: Marked(one.operation, one.token, one.pid, one.begun, touched.get(one.operation, one.begun))
            for one in long
        }
        await self._store.queue.mark([mark for mark in marks.values() if self._marked.get(mark.operation) != mark])
        self._marked = marks

    async def _lost(self) -> None:
        """Another host has what this one held: end the workers, drop everything, start afresh."""
        self._scheduler.forget()
        await self._pool.stop(0, 0)
        self._scheduler.forget()
        if not self._started:
            return  # stopping: nobody would end the workers of another pool
        self._pool = self._make_pool()
        await self._pool.start()
        self._housekeeping.hasten()  # where nobody took over, because the row of this host is gone, its claims have no host

    def _run_out_of_patience(self) -> None:
        self._scheduler.handing_back = True


async def _unless(stop: asyncio.Event, starting: Coroutine[Any, Any, None]) -> bool:
    """Start, unless a signal comes first; the database may let us wait for it."""
    task, stopping = asyncio.create_task(starting), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:  # also when whoever runs the host is cancelled: it does not start behind their back
        stopping.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    if not task.cancelled():
        task.result()
    return not task.cancelled()


def _wake(loop: asyncio.AbstractEventLoop, scheduler: Scheduler) -> None:
    """Called from any thread."""
    loop.call_soon_threadsafe(scheduler.news)


def _limits(settings: Settings) -> Limits:
    """What ends operations and workers. Raises ConfigurationError where memory cannot be watched."""
    if settings.pool == "inline":  # its workers are slots of this process: nothing there can be killed
        return Limits(settings.maximum_processing, worker=None)
    if settings.worker_megabytes is not None and not readable():
        raise ConfigurationError("worker_megabytes: this system does not tell the memory of a process; leave it unset")
    return Limits(settings.maximum_processing, settings.worker_maximum, _bytes(settings.worker_megabytes))


def _bytes(megabytes: int | None) -> int | None:
    return None if megabytes is None else megabytes * 2**20

"""The lease of a host: renewed in time, judged by the database's clock, trusted locally for less than it lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from opwright.clock import Clock
from opwright.errors import StoreUncertain
from opwright.model.host import Registration, Renewal
from opwright.model.worker import Worker
from opwright.service import Service
from opwright.store.hosts import Hosts
from opwright.telemetry import emit, logger

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds: how long a lease lasts, how often it is renewed, and how much earlier the holder stops to trust it."""

    lease: float = 12.0
    renew: float = 3.0
    margin: float = 2.0


@dataclass(frozen=True, slots=True)
class Identity:
    """What a host says of itself when it registers; ``queues`` None for all."""

    name: str
    pid: int
    version: str
    queues: tuple[str, ...] | None
    triggers: Sequence[str]


class Lease(Service):
    """Registers the host, renews its lease, and says when it has lost it."""

    def __init__(
        self, hosts: Hosts, identity: Identity, terms: Terms, clock: Clock,
        *, renewed: Callable[[Renewal], Awaitable[None]], lost: Callable[[], Awaitable[None]],
        workers: Callable[[], Sequence[Worker]] = tuple, hanging: Callable[[], Sequence[str]] = tuple,
    ) -> None:  # fmt: skip
        super().__init__("lease")
        self._hosts = hosts
        self._own = Registration(0, "", 0)  # nobody's
        self._identity = identity
        self._terms = terms
        self.longest_pause = terms.renew  # while the database is away: whoever returns late is judged by those who did not
        self._patience = max((terms.lease - terms.renew) / 2, 2.0)  # a connection that swallows a renewal leaves time for another
        self._clock = clock
        self._on_renewed = renewed
        self._on_lost = lost
        self._workers = workers
        self._hanging = hanging
        self.leaving = False  # the host stops: if it is taken over now, it does not come back
        self._trusted_until = 0.0
        self._renewed_at = 0.0
        self._unbroken_since: float | None = None

    @property
    def host(self) -> int:
        """The id of the host's row; 0 before it is registered."""
        return self._own.id

    async def register(self) -> None:
        """Take an identity that was never used before."""
        sent = self._clock.monotonic()
        me = self._identity
        self._own = await self._hosts.register(
            name=me.name, pid=me.pid, version=me.version, lease=self._terms.lease, queues=me.queues, triggers=me.triggers
        )
        self._trust_from(sent)
        emit("host.registered", host=self.host)

    def trusted(self) -> bool:
        """Whether this host may still act on its claims without asking. Counted from before the renewal was sent."""
        return self._clock.monotonic() < self._trusted_until

    async def run_once(self) -> float:
        """Renew the lease, and judge the others.

        A host judges only once its own renewals have gone through for a whole lease: after a restart of the database nobody
        has renewed, and nobody is to blame. It is the same when the whole machine has stood still: a host that is late itself
        begins anew. A host whose own services hang does not renew: its lease stands for work that goes on, not for a process
        that is there.
        """
        if self._hanging():
            self._unbroken_since = None
            return self._terms.renew
        sent, deadline = self._clock.monotonic(), asyncio.get_running_loop().time() + self._patience
        judge = self._may_judge(sent)
        renew = self._hosts.renew(self._own, judge=judge, workers=self._workers(), within=self._terms.lease / 2)
        try:
            renewal = await _before(deadline, renew)
        except Exception:
            self._unbroken_since = None
            raise
        if self._clock.monotonic() - self._renewed_at > self._terms.lease / 2:
            self._unbroken_since = None  # it went through, but late: what held it up may have held up the others too
        if not renewal.renewed:
            await self._lose()
            return self._terms.renew if self.leaving else 0.0
        self._trust_from(sent)
        await _before(deadline, self._on_renewed(renewal))
        return self._terms.renew

    async def say_good_bye(self) -> None:
        """Give the lease up. What is still claimed is taken over at once."""
        await self._hosts.stop(self._own)
        self._trusted_until = 0.0

    async def _lose(self) -> None:
        logger.warning("host %s was taken over by another one: it drops what it holds and returns under a new id", self.host)
        emit("host.lost", host=self.host)
        self._trusted_until = 0.0
        self._unbroken_since = None
        await self._on_lost()
        if not self.leaving:
            await self.register()

    def _may_judge(self, now: float) -> bool:
        return self._unbroken_since is not None and now - self._unbroken_since >= self._terms.lease

    def _trust_from(self, sent: float) -> None:
        self._trusted_until = sent + self._terms.lease - self._terms.margin
        self._renewed_at = sent
        if self._unbroken_since is None:
            self._unbroken_since = sent


async def _before(deadline: float, work: Awaitable[T]) -> T:
    """A renewal, or what is written with it. Raises StoreUncertain at the deadline, so that the next renewal comes in time."""
    try:
        async with asyncio.timeout_at(deadline):
            return await work
    except TimeoutError:
        raise StoreUncertain("the database has not answered a renewal in time") from None

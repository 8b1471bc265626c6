"""Housekeeping: takes over what dead hosts held, ends what nobody knows how to run, forgets what is long over."""

from __future__ import annotations

from collections.abc import Callable

from opwright.clock import Clock
from opwright.errors import RowRefused
from opwright.model.claim import End, after_death
from opwright.model.host import HostState
from opwright.model.status import OutcomeCode
from opwright.service import Service
from opwright.store.hosts import Hosts
from opwright.store.queue import Orphan, Queue, Settlement
from opwright.telemetry import emit, logger

PERIOD = 5.0
BATCH = 1000
FORGET_PERIOD, FORGET_AGE = 60.0, 3600.0
START = ("", -32768, 0)
NOWHERE = (0, 0)


class Housekeeping(Service):
    """Plain steps; each is safe on any number of hosts at once, because every write is fenced."""

    def __init__(
        self,
        queue: Queue,
        hosts: Hosts,
        clock: Clock,
        *,
        host: Callable[[], int],
        leftover: Callable[[], bool],
        followers: Callable[[], bool] = lambda: False,
        unknown_after: float,
        returned: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__("housekeeping")
        self.dead_hosts = False
        self._queue = queue
        self._hosts = hosts
        self._clock = clock
        self._host = host
        self._leftover = leftover
        self._followers = followers
        self._unknown_after = unknown_after
        self._returned = returned
        self._refused: set[int] = set()  # told of already
        self._unknown_since: dict[str, float] = {}
        self._position = START
        self._followed = NOWHERE
        self._forget_at = clock.monotonic() + FORGET_PERIOD

    async def run_once(self) -> float:
        """Do what there is to do; nothing of it costs a statement while all is well."""
        if self.dead_hosts:
            await self.take_over()
        if self._leftover():
            await self.fail_unknown()
        else:
            self._unknown_since.clear()  # what is waited for must be without interruption
        if self._followers():
            await self.follow_overlooked()
        if self._clock.monotonic() >= self._forget_at:
            await self.forget()
        return PERIOD

    def hasten(self) -> None:
        """Do soon what is otherwise done once in a while."""
        self._forget_at = self._clock.monotonic()
        self.wake()

    async def take_over(self) -> int:
        """Release what dead hosts held; how many. Each is charged a recovery: whether it had begun nobody can say."""
        count, after = 0, 0
        while orphans := await self._queue.orphans(BATCH, after):
            after = orphans[-1].claim.operation  # onward, whatever came of these
            landed = await self._release([_verdict(orphan) for orphan in orphans])
            count += len(landed)
            emit("takeover.released", operations=sorted(landed))
        if count:
            self._returned()
            logger.warning("took over %s of hosts that died", "1 operation" if count == 1 else f"{count} operations")
        return count

    async def _release(self, settlements: list[Settlement]) -> set[int]:
        """Write verdicts. What the database refuses is split, so that one bad row keeps no other from being taken over."""
        try:
            return await self._queue.settle(self._host(), settlements)
        except RowRefused as error:
            if len(settlements) > 1:
                middle = len(settlements) // 2
                return await self._release(settlements[:middle]) | await self._release(settlements[middle:])
            claim = settlements[0][0]
            emit("takeover.refused", operation=claim.operation)
            if claim.operation not in self._refused:
                self._refused.add(claim.operation)
                logger.error("operation %s of a dead host cannot be taken over: %s; trying again", claim.operation, error)
            return set()

    async def fail_unknown(self) -> set[int]:
        """End operations whose trigger no live host has known for a while. Looks at a window of the queue each time."""
        rows = await self._queue.ready_after(self._position, BATCH)
        self._position = (rows[-1]["queue"], rows[-1]["rank"], rows[-1]["operation"]) if len(rows) == BATCH else START
        known = await self._known_triggers()
        self._note_unknown({row["trigger"] for row in rows} - known, known)
        late = {name for name, since in self._unknown_since.items() if self._clock.monotonic() - since >= self._unknown_after}
        failures = [
            (row["queue"], row["rank"], row["operation"], _unknown_text(row["trigger"], self._unknown_after))
            for row in rows
            if row["trigger"] in late
        ]
        return await self._queue.fail_ready(failures) if failures else set()

    async def follow_overlooked(self) -> list[str]:
        """Let go on what follows an end that no host has told of: its host died between the end and the telling.

        Looks at a window each time; the queues of what may go on, one entry per operation.
        """
        ended, self._followed = await self._queue.overlooked(self._followed, BATCH)
        queues = await self._queue.follow(ended) if ended else []
        if queues:
            self._returned()
        return queues

    async def forget(self) -> None:
        """Delete rows that have served: old hosts, requests to cancel what ended by itself, claims of what has no record.

        Claims whose host has no row at all, because somebody deleted it, are told of by no renewal: they are looked for here.
        """
        self._forget_at = self._clock.monotonic() + FORGET_PERIOD
        await self._hosts.forget(FORGET_AGE)
        await self._queue.forget_requests()
        await self._drop_unrecorded()
        await self.take_over()

    async def _drop_unrecorded(self) -> None:
        dropped = await self._queue.drop_unrecorded()
        if dropped:
            emit("claims.unrecorded", operations=dropped)
            logger.warning("dropped claims of operations that have no record, because somebody deleted it: %s", dropped)
            self._returned()

    async def _known_triggers(self) -> set[str]:
        alive = [host for host in await self._hosts.all() if host.state is HostState.ALIVE]
        return {trigger for host in alive for trigger in host.triggers}

    def _note_unknown(self, unknown: set[str], known: set[str]) -> None:
        now = self._clock.monotonic()
        self._unknown_since = {name: since for name, since in self._unknown_since.items() if name not in known}
        for name in unknown - self._unknown_since.keys():
            self._unknown_since[name] = now
            logger.warning("no live host knows the trigger %r; its operations end FAILED in %g s", name, self._unknown_after)


def _verdict(orphan: Orphan) -> Settlement:
    claim = orphan.claim
    if orphan.asked:
        return claim, End(OutcomeCode.CANCELLED, error="cancelled by request; its host had died")
    return claim, after_death(claim, "its host died")


def _unknown_text(trigger: str, seconds: float) -> str:
    return f"UnknownTrigger: no live host has known the trigger {trigger!r} for {seconds:g} s"

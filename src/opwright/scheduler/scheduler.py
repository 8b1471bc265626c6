"""The scheduler: claims operations at its heartbeat or when woken, gives them to workers, and turns updates into verdicts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from opwright.clock import Clock
from opwright.model.claim import Claim, End, Postpone, Verdict, hand_back
from opwright.model.ids import new_id
from opwright.model.operation import NewOperation
from opwright.model.status import OutcomeCode
from opwright.model.worker import TOUCH, Outcome, Remark, StatusUpdate, Task
from opwright.scheduler.cancelling import Cancelling
from opwright.scheduler.deadlines import Deadlines
from opwright.scheduler.doubts import Doubts
from opwright.scheduler.holdings import Holdings, Reason
from opwright.scheduler.lease import Lease
from opwright.scheduler.measures import LookAhead, Measures
from opwright.scheduler.offers import Offer, Offers
from opwright.scheduler.placing import Placing
from opwright.scheduler.prospects import Prospects
from opwright.scheduler.rhythm import Rhythm
from opwright.scheduler.settler import Settler
from opwright.scheduler.verdicts import asked_verdict, tell, verdict_on
from opwright.service import Service
from opwright.store.queue import Queue
from opwright.telemetry import emit, logger
from opwright.workers.pool import Pool

LAY_LONG = 0.1  # seconds that a claim may lie before the look-ahead shrinks
HAND_BACK = 1.0  # seconds after which what was claimed ahead is handed back
# Looking a member up at its class costs as much as judging by it.
RETURNED, ENDED, SUCCEEDED = Outcome.RETURNED, Outcome.ENDED, OutcomeCode.SUCCEEDED


class Scheduler(Service):
    """One host's scheduler. Everything it holds is in ``holdings``; every verdict goes through the settler."""

    def __init__(
        self, *, queue: Queue, pool: Callable[[], Pool], lease: Lease, settler: Settler, rhythm: Rhythm,
        triggers: Sequence[str], clock: Clock, placed: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        super().__init__("scheduler")
        self.holdings = Holdings()
        self.measures = Measures()
        self.handing_back = False  # stopping and out of patience: whatever ends by our doing goes back uncharged
        self.leftover = False  # a queue had something ready that this host could not claim
        self._queue = queue
        self._pool = pool
        self._lease = lease
        self._settler = settler
        self._rhythm = rhythm
        self._triggers = list(triggers)
        self._clock = clock
        self._placed = placed
        self._look_ahead = LookAhead(auto=rhythm.look_ahead, first=0)
        self._claiming = True
        self._news = True
        self._prospects = Prospects(rhythm.queues)
        self._placing = Placing(queue, clock)
        self._ended = 0  # since the last claim: the places that really became free
        self._beat = 0.0
        self._cancelling = Cancelling(queue, self.holdings)
        self._claimed_at = self._lay_at = 0.0  # the last claim; when it was last judged by how long it has lain
        self._doubts = Doubts(queue, clock, rhythm.heartbeat, self._unknown)
        self._offers = Offers(
            clock, landed=lambda offer: self._take([queue.claimed(offer.operation, offer.token)]), doubted=self._doubt
        )
        self._forgotten = 0  # how often every claim was dropped
        self._deadlines = Deadlines(
            lambda operation: self._pool().begun_at(operation), clock, lambda claim: self._ask(claim, Reason.TIMEOUT)
        )
        self._stepping = asyncio.Lock()

    @property
    def followers(self) -> bool:
        """Whether anything follows others, as of the last look."""
        return self._placing.followers

    @property
    def kill_after(self) -> float:
        """Seconds between asking an operation to stop and killing its worker."""
        return self._rhythm.kill_after

    # -- waking ------------------------------------------------------------------------------------------------------

    def news(self) -> None:
        """Something was committed somewhere: look at the queue."""
        self._news = True
        self.wake()

    def updates(self, updates: list[StatusUpdate]) -> None:
        """What workers report. What comes back unbegun is put back in the order in which it was given."""
        if returned := [one for one in updates if one.outcome is RETURNED]:
            updates = [*reversed(returned), *(one for one in updates if one.outcome is not RETURNED)]
        for update in updates:
            claim = self.holdings.held(update.operation, update.token)
            if claim is None:
                emit("update.stale", operation=update.operation)
            else:
                self._judge(claim, update)
        self._give()
        self.wake()

    def remarks(self, remarks: list[Remark]) -> None:
        """What running operations say of themselves: written down before their ends, and a sign of life."""
        known = [one for one in remarks if self.holdings.held(one.operation, one.token) is not None]
        for one in known:
            self.holdings.touched[one.operation] = one.at
        self._settler.remark([one for one in known if one.kind != TOUCH])

    def landed(self, operations: set[int]) -> None:
        """Verdicts that are written now. What comes back later is waited for here, not left to the heartbeat."""
        if self._placing.landed(operations):
            self.wake()

    def freed(self) -> None:
        """A slot may have fallen free, or something new is there: place it, and look."""
        self._placing.freed()
        self.news()

    def room(self) -> None:
        """A worker became ready."""
        self._give()
        self.wake()

    # -- claiming ----------------------------------------------------------------------------------------------------

    async def run_once(self) -> float:
        """Promote, claim, give away. Returns the seconds until the heartbeat or the next due time."""
        async with self._stepping:
            return await self._step_once()

    async def _step_once(self) -> float:
        now = self._clock.monotonic()
        news, beat = self._take_news(), now >= self._beat
        if beat:
            self._beat = now + self._rhythm.heartbeat
            self._pool().unstick()
        if not self._lease.trusted():
            return self._rhythm.heartbeat
        if news or beat:
            self._cancelling.news()
        if self._cancelling.due(now):
            await self._cancel_asked(now)
        if not self._claiming:
            return self._pause_for_cancels(now)
        if self._doubts.due(now):
            await self._doubts.settle(self._lease.host)
        await self._place(now)
        self._return_stale_backlog(now)
        await self._claim_known()
        if news or beat:
            await asyncio.sleep(0)  # what was just given away begins before the next question is put
            await self._look()
        return self._pause()

    def _take_news(self) -> bool:
        """Whether something new may be there."""
        news, self._news = self._news, False
        if news:
            self._prospects.news()
        return news

    async def _look(self) -> None:
        """See which queues have something ready, and what is to be placed; claim what was not known of."""
        peek, at_once = await self._placing.look()
        if at_once:
            await self._place(self._clock.monotonic())
        served = self._prospects.served(peek.queues)
        self._prospects.mark(served, more=True)
        self._prospects.mark(peek.paused, more=False)
        if self._free() > 0:
            await self._claim_known()
            self.leftover = any(map(self._prospects.dry, served)) or len(served) < len(peek.queues)

    async def _claim_known(self) -> None:
        """Fill the free workers, then the look-ahead, from the queues that may have more."""
        demand = self._demand()
        if not demand:
            return
        dry = self.holdings.waiting == 0
        self._ended = 0
        if self._settler.full:
            return
        got = await self._claim_from_queues(demand, self._triggers, ahead=False)
        if got and got == demand:
            await self._claim_ahead(dry=dry)

    def _demand(self) -> int:
        """How many to claim: for every free worker one; if none is free, when half of the look-ahead is used up, what has ended.

        A claim for each end that is reported would cost more than the work of short operations. Where none is short, a place
        that is not free after an end is that of a worker which is being replaced.
        """
        waiting, size = self.holdings.waiting, self._look_ahead.size
        free = max(self._free(), 0)
        if free or waiting > size // 2 or not self.measures.fast(self._triggers):
            return free
        return min(self._ended, size)

    def _free(self) -> int:
        """How many workers nothing waits for."""
        return self._pool().free() - self.holdings.waiting - self._offers.kept

    async def _claim_ahead(self, *, dry: bool) -> None:
        size = self._look_ahead.size
        fast = self.measures.fast(self._triggers)
        if size == 0 or not fast:
            return
        if dry:
            self._look_ahead.ran_dry()
        room = size - self.holdings.waiting
        if room < size // 2:
            return
        await self._claim_from_queues(room, fast, ahead=True)

    async def _claim_from_queues(self, limit: int, triggers: list[str], *, ahead: bool) -> int:
        got, turns = 0, self._prospects.in_turn()
        while got < limit and self._claiming and (queue := next(turns, None)) is not None:
            wanted = limit - got
            claims = await self._claim(queue, wanted, triggers, ahead=ahead)
            if len(claims) < wanted and not ahead:
                self._prospects.mark([queue], more=False)
            got += len(claims)
        return got

    async def _claim(self, queue: str, limit: int, triggers: list[str], *, ahead: bool) -> list[Claim]:
        forgotten = self._forgotten
        try:
            claims = await self._queue.claim(
                host=self._lease.host, token=new_id(), queue=queue, triggers=triggers, limit=limit, ahead=ahead
            )
        except BaseException:  # also a cancellation, if this step was given up
            self._doubt()  # it may have been committed
            raise
        if forgotten != self._forgotten:
            return []  # it was on its way when this host was taken over, and so was what it brings
        if claims:
            self._take(claims)
        return claims

    def _take(self, claims: list[Claim]) -> None:
        self._claimed_at = self._lay_at = self._clock.monotonic()
        self.holdings.take(claims)
        for claim in claims:
            if claim.asked:  # while it was between two attempts, or between two hosts
                self._ask(claim, Reason.CANCEL)
        self._give()

    async def _place(self, now: float) -> None:
        queues = await self._placing.run(now)
        served = self._prospects.served(queues)
        self._prospects.mark(served, more=True)
        if queues and (len(served) < len(queues) or len(served) > self._free()):
            self._placed()  # what this host will not begin at once another one may
        self._news = self._news or bool(queues)  # there may be a next due time, and more than one batch

    def _pause(self) -> float:
        now = self._clock.monotonic()
        if self._settler.full:
            return LAY_LONG
        if self._news or (self._prospects and self._demand()):
            return 0
        hand_back = now + HAND_BACK if self.holdings.waiting else None
        ends = (self._beat, self._placing.next, hand_back, self._cancelling.next)
        return max(min(end for end in ends if end is not None) - now, 0.0)

    def _pause_for_cancels(self, now: float) -> float:
        """While stopping nothing is claimed, but what still runs can be cancelled."""
        look = self._cancelling.next
        return self._rhythm.heartbeat if look is None else max(look - now, 0.0)

    # -- offering ----------------------------------------------------------------------------------------------------

    def offer(self, operation: NewOperation) -> Offer | None:
        """A free slot for an operation that is being submitted in this process, if the next claim would bring just that."""
        idle = not self._news and self._prospects.dry(operation.queue)  # nothing that is ready is passed over
        willing = self._claiming and self._lease.trusted() and not self._doubts and not self._settler.full
        able = operation.trigger in self._triggers and self._prospects.served([operation.queue]) and self._free() > 0
        return self._offers.make(self._lease.host, operation) if idle and willing and able else None

    # -- giving ------------------------------------------------------------------------------------------------------

    def _give(self) -> None:
        """Hand the backlog to the pool while it takes it, and while what lies here is surely still ours."""
        if not self._lease.trusted():
            return
        place, means = self._pool().place, self.measures.means
        while (line := self.holdings.first_line()) is not None:
            while line:
                claim = line[0]
                task = Task(claim.operation, claim.token, claim.attempt, claim.trigger, claim.inputs, claim.answers)
                if not place(task, means.get(claim.trigger)):
                    return
                line.popleft()
                if claim.options.timeout is not None:
                    self._deadlines.watch(claim, claim.options.timeout)

    def _return_stale_backlog(self, now: float) -> None:
        """What was claimed ahead is not to lie here while another host may be free."""
        if not self.holdings.waiting:
            return
        if now - self._lay_at > LAY_LONG:
            self._look_ahead.lay_long()
            self._lay_at = now
        if now - self._claimed_at > HAND_BACK:
            self.return_backlog()

    def return_backlog(self) -> None:
        """Hand back everything that waits for a worker; what has ended is no reason to claim it again."""
        self._ended = 0
        for claim in self.holdings.drain():
            self._verdict(claim, hand_back(claim))

    # -- verdicts ----------------------------------------------------------------------------------------------------

    def _judge(self, claim: Claim, update: StatusUpdate) -> None:
        reason = self.holdings.asked.get(claim.operation)
        if update.outcome is RETURNED and reason is None and self._claiming:
            self.holdings.put_back(claim)
            return
        claim.begun = update.begun
        self._ended += 1
        self.measures.add(claim.trigger, update)
        verdict = verdict_on(claim, update, reason, self._rhythm.patience, handing_back=self.handing_back)
        self._verdict(claim, verdict, unsure=update.outcome is ENDED)
        if update.outcome is ENDED and update.error is not None:
            logger.warning("operation %s (%s), after its end was written: %s", claim.operation, claim.trigger, update.error)

    def _verdict(self, claim: Claim, verdict: Verdict, *, unsure: bool = False) -> None:
        self.holdings.end(claim)
        if claim.options.timeout is not None:
            self._deadlines.forget(claim.operation)
        if unsure:
            self._settler.add_unsure(claim, verdict)
            return
        if not isinstance(verdict, End):  # asked of the most frequent class: msgspec's structs are slow to say no
            tell(claim, verdict)
            if isinstance(verdict, Postpone):
                self._placing.postponed(claim.operation, verdict.delay)
        elif verdict.code is not SUCCEEDED:
            tell(claim, verdict)
        self._settler.add(claim, verdict)

    # -- cancel and timeout ------------------------------------------------------------------------------------------

    async def _cancel_asked(self, now: float) -> None:
        for claim in await self._cancelling.asked(self._lease.host, now):
            self._ask(claim, Reason.CANCEL)

    def expire(self, claim: Claim) -> None:
        """It runs here, and has given no sign of life for the maximum processing time."""
        self._ask(claim, Reason.EXPIRED)

    def _ask(self, claim: Claim, reason: Reason) -> None:
        if claim.operation in self.holdings.asked:
            return
        self.holdings.asked[claim.operation] = reason
        if self.holdings.is_waiting(claim):
            self.holdings.withdraw(claim)
            self._verdict(claim, asked_verdict(claim, reason, self._rhythm.patience))
        else:
            self._pool().cancel(claim.operation, claim.token, self._rhythm.kill_after)

    # -- ends and doubts ---------------------------------------------------------------------------------------------

    def stop_claiming(self) -> None:
        """Claim nothing more, and hand back what has not been given to a worker."""
        self._claiming = False
        self.return_backlog()

    async def arrived(self) -> None:
        """Once claiming is stopped: wait for a claim on its way, and hand back what it brought."""
        async with self._stepping:
            await self._offers.closed()
            self.return_backlog()
            if self._doubts:
                await self._doubts.settle(self._lease.host)

    def forget(self) -> None:
        """Drop every claim: this host was taken over and others have them now."""
        self.holdings.clear()
        self._deadlines.clear()
        self._placing.forget()
        self._settler.clear()
        self._doubts.forget()
        self._offers.forget()
        self._forgotten += 1

    def _doubt(self) -> None:
        """A claim's answer was lost: find out before the next one whether it stands."""
        self._doubts.arise()
        self.wake()

    def _unknown(self, standing: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """The claims among these that are not held here, whose ends do not wait to be written, and that no open offer covers."""
        covered = self._settler.unwritten() | self._offers.claims()
        return [one for one in standing if one not in covered and self.holdings.held(*one) is None]

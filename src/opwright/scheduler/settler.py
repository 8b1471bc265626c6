"""Writes verdicts in batches: at once, gathering what comes while the last statement is on its way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from opwright.errors import RowRefused, StoreUnavailable, StoreUncertain
from opwright.model.claim import Claim, End, Release, Verdict
from opwright.model.status import OutcomeCode
from opwright.model.text import clean
from opwright.model.worker import Remark
from opwright.service import Service
from opwright.store.queue import Queue, Settlement
from opwright.telemetry import emit, logger

BATCH = 2000
MOST_BATCHES = 20  # in one step: under load there is always more, and doubts are settled between two steps
MOST_UNWRITTEN = 20_000  # verdicts; while more wait nothing is claimed, for the database does not take what we already have
MOST_REMARKS = 20_000
REFUSED = "the database refused to store how it ended"
LOOK_AGAIN = 1.0  # seconds until a transaction that a trigger has left open is asked about again
HEAVIEST = 16 * 2**20  # characters of results and errors in one statement
PUT_OFF = 10.0  # seconds until what was refused, whatever is written, is tried again
RETRY_SECONDS = 60.0  # between looks when nothing is pending; every verdict wakes it


class Settler(Service):
    """Keeps verdicts until they are written. A refused batch is split, so that one bad row fails its own operation only.

    ``landed`` is told what has been written. ``returned``: something is ready again; ``freed``: a slot may have fallen free,
    or an operation is on its way back to its submitter. ``written``: something was, and nothing more waits to be.
    """

    def __init__(
        self,
        queue: Queue,
        host: Callable[[], int],
        *,
        landed: Callable[[set[int]], None],
        returned: Callable[[], None] = lambda: None,
        freed: Callable[[], None] = lambda: None,
        written: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__("settler")
        self._queue = queue
        self._host = host
        self._landed = landed
        self._returned = returned
        self._freed = freed
        self._written = written
        self._remarks: list[Remark] = []
        self._noting = 0  # remarks that are on their way
        self._unsure: list[Settlement] = []
        self._pending: list[Settlement] = []
        self._writing: list[Settlement] = []
        self._put_off: dict[tuple[int, int], Settlement] = {}  # by operation and token
        self._untold = False  # something was written, and nobody elsewhere has been told yet

    def add(self, claim: Claim, verdict: Verdict) -> None:
        """A verdict to write."""
        if not self._pending:  # else it is awake, or sleeps out a pause that nothing ends
            self.wake()
        self._pending.append((claim, verdict))

    def add_unsure(self, claim: Claim, verdict: Verdict) -> None:
        """A verdict that holds only if the claim still stands: its trigger has written its end in a transaction of its own."""
        self._unsure.append((claim, verdict))
        self.wake()

    def remark(self, remarks: list[Remark]) -> None:
        """What is to be written before the verdicts that come after it. Beyond so many the oldest are dropped."""
        self._remarks = [*self._remarks, *remarks][-MOST_REMARKS:]
        self.wake()

    @property
    def backlog(self) -> int:
        """How many verdicts and remarks wait to be written."""
        return len(self._pending) + len(self._writing) + len(self._remarks) + self._noting + len(self._unsure)

    @property
    def full(self) -> bool:
        """Whether so much waits to be written that nothing more is begun: a database that takes no ends gets no more work."""
        return self.backlog > MOST_UNWRITTEN

    def unwritten(self) -> set[tuple[int, int]]:
        """(operation, token) of every claim on which a verdict waits to be written."""
        waiting = (*self._writing, *self._pending, *self._unsure, *self._put_off.values())
        return {(claim.operation, claim.token) for claim, _ in waiting}

    async def run_once(self) -> float:
        """Write what is pending, a batch at a time. That some is written is told when no more is pending, not for each batch."""
        for _ in range(MOST_BATCHES):
            if not (self._pending or self._writing or self._remarks):
                break
            if not self._writing:  # before the remarks are taken: those that came before one of these go out before it
                count = _fitting(self._pending)
                self._writing, self._pending = self._pending[:count], self._pending[count:]
            await self._write_remarks()
            if self._writing:
                await self._write(self._writing)
            self._writing = []
            self.moved()
        pause = await self._decide()
        if self._untold and not self._pending:
            self._untold = False
            self._written()
        return 0.0 if self._pending or self._remarks else pause

    async def _decide(self) -> float:
        """Write those unsure verdicts whose claims still stand; the seconds until the next look."""
        asked = tuple(self._unsure)
        if not asked:
            return RETRY_SECONDS
        standing, undecided = await self._queue.uncommitted([claim for claim, _ in asked])
        newer = self._unsure[len(asked) :]
        self._pending += [one for one in asked if one[0].operation in standing]
        self._unsure = [one for one in asked if one[0].operation in undecided] + newer
        self._are_over([claim for claim, _ in asked if claim.operation not in standing | undecided])
        return 0.0 if self._pending else LOOK_AGAIN if self._unsure else RETRY_SECONDS

    async def _write_remarks(self) -> None:
        """They are tried once, for they must not keep a verdict from being written; again only while nothing can be written."""
        remarks, self._remarks = self._remarks, []
        if not remarks:
            return
        self._noting = len(remarks)
        try:
            await self._queue.note(remarks)
        except RowRefused as error:
            logger.warning("%d remarks of running operations were not stored: %s", len(remarks), error)
        except StoreUnavailable as error:
            if not isinstance(error, StoreUncertain):
                self._remarks = [*remarks, *self._remarks][-MOST_REMARKS:]
            raise
        finally:
            self._noting = 0

    async def flush(self, seconds: float) -> bool:
        """Wait until everything is written; False when it was not within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while self.backlog:
                    self.wake()
                    await asyncio.sleep(0.002)
        except TimeoutError:
            logger.warning(
                "%d verdicts and remarks could not be written within %g s; operations without an end will be taken over",
                self.backlog,
                seconds,
            )
            return False
        return True

    def clear(self) -> None:
        """Drop what is pending: its claims stand no more."""
        self._pending.clear()
        self._unsure.clear()
        self._put_off.clear()
        self._writing = []

    async def _write(self, batch: list[Settlement]) -> None:
        try:
            landed = await self._queue.settle(self._host(), batch)
        except RowRefused as error:
            await self._split(batch, error)  # any other error: the whole batch again, for each row of it is fenced
            return
        if len(landed) < len(batch):
            stale = [claim.operation for claim, _ in batch if claim.operation not in landed]
            emit("settle.stale", operations=stale)
        self._are_over([claim for claim, _ in batch])  # what was stale is over for this host too
        # `not End` first: msgspec's structs say quickly what they are, and slowly what they are not.
        if any(not isinstance(verdict, End) and isinstance(verdict, Release) for _, verdict in batch):
            self._returned()

    def _are_over(self, claims: list[Claim]) -> None:
        """Tell of claims that stand no more."""
        self._untold = self._untold or bool(claims)
        self._landed({claim.operation for claim in claims})
        if any(claim.lane is not None or claim.submitter is not None for claim in claims):
            self._freed()  # a slot, or it is on its way back

    async def _split(self, batch: list[Settlement], error: RowRefused) -> None:
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._write(batch[:middle])
            await self._write(batch[middle:])
            return
        claim, verdict = batch[0]
        text = clean(f"{REFUSED}: {error}")
        # Not the whole text: that of a check constraint tells the refused row, which has another time in it at each attempt.
        if isinstance(verdict, End) and verdict.code is OutcomeCode.FAILED and (verdict.error or "").startswith(REFUSED):
            logger.error("operation %s: %s; trying again in %g s", claim.operation, text, PUT_OFF)
            self._put_off[claim.operation, claim.token] = batch[0]  # or it stays claimed while this host lives
            asyncio.get_running_loop().call_later(PUT_OFF, self._take_up, claim)
            return
        await self._write([(claim, End(OutcomeCode.FAILED, error=text))])

    def _take_up(self, claim: Claim) -> None:
        """Try once more what was put off, unless all claims have been dropped since."""
        one = self._put_off.pop((claim.operation, claim.token), None)
        if one is not None:
            self.add(*one)


def _fitting(pending: list[Settlement]) -> int:
    """How many of the first may go out in one statement: at least one, not too many, not too heavy."""
    weight = 0
    for count, (_, verdict) in enumerate(pending[:BATCH]):
        if isinstance(verdict, End):
            weight += len(verdict.result or "") + len(verdict.error or "")
        if weight > HEAVIEST:
            return max(count, 1)
    return min(len(pending), BATCH)

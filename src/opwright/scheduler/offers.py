"""Free slots that are offered to submits of this very process, whose host would claim what they submit as its next step.

So an idle host begins it after one statement instead of two, and nobody needs to be told. What is offered counts as taken until
the submit has its answer, or for a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

from opwright.clock import Clock
from opwright.model.ids import new_id
from opwright.model.operation import NewOperation

KEPT = 1.0  # seconds that an offer keeps its slot; a statement that nobody answers would keep it for half a minute


class Offer:
    """One slot, for one operation: a block around the statement that submits it."""

    def __init__(self, host: int, operation: NewOperation, until: float, closed: Callable[[Offer, bool], None]) -> None:
        self.host = host
        self.token = new_id()
        self.operation = operation
        self.taken = False
        self.until = until
        self._closed = closed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._closed(self, kind is not None)


class Offers:
    """Those that have no answer yet. ``landed``: a submit has claimed. ``doubted``: one has failed, and may have claimed."""

    def __init__(self, clock: Clock, landed: Callable[[Offer], None], doubted: Callable[[], None]) -> None:
        self._open: set[Offer] = set()
        self._clock = clock
        self._landed = landed
        self._doubted = doubted
        self._none = asyncio.Event()
        self._none.set()

    @property
    def kept(self) -> int:
        """How many slots are kept. What lands later waits for a worker like any other claim."""
        now = self._clock.monotonic() if self._open else 0.0
        return sum(now < one.until for one in self._open)

    def claims(self) -> set[tuple[int, int]]:
        """The claims, (operation, token), that submits on their way may have made."""
        return {(one.operation.id, one.token) for one in self._open}

    def make(self, host: int, operation: NewOperation) -> Offer:
        """A slot for an operation; it is open from now on."""
        offer = Offer(host, operation, self._clock.monotonic() + KEPT, self._close)
        self._open.add(offer)
        self._none.clear()
        return offer

    def forget(self) -> None:
        """Drop them all: this host was taken over, and what those submits claim is no longer its own."""
        self._open.clear()
        self._none.set()

    async def closed(self) -> None:
        """Wait until none is open."""
        await self._none.wait()

    def _close(self, offer: Offer, doubtful: bool) -> None:  # noqa: FBT001 - called by one who has it from `__exit__`
        if offer not in self._open:
            return
        self._open.discard(offer)
        if doubtful:
            self._doubted()
        elif offer.taken:
            self._landed(offer)
        if not self._open:
            self._none.set()

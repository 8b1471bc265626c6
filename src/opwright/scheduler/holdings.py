"""What a host holds: every claim that no verdict has ended, and of these the ones that wait for a worker."""

from __future__ import annotations

from collections import deque
from enum import Enum
from itertools import groupby
from operator import attrgetter

from opwright.model.claim import Claim

_rank = attrgetter("rank")


class Reason(Enum):
    """Why an operation was asked to end."""

    CANCEL = "cancel"
    TIMEOUT = "timeout"
    EXPIRED = "expired"  # no sign of life for the maximum processing time


class Holdings:
    """Claims by operation, and a backlog in claim order."""

    def __init__(self) -> None:
        self.claims: dict[int, Claim] = {}
        self.asked: dict[int, Reason] = {}
        self.touched: dict[int, int] = {}  # by operation: its last remark, in microseconds
        self._backlog: dict[int, deque[Claim]] = {}  # by rank: an urgent operation passes what lies there

    def __len__(self) -> int:
        return len(self.claims)

    @property
    def waiting(self) -> int:
        """How many wait for a worker."""
        return sum(map(len, self._backlog.values()))

    def take(self, claims: list[Claim]) -> None:
        """New claims, to be given away in order."""
        for rank, line in groupby(claims, key=_rank):
            self._line(rank).extend(line)
        self.claims.update((claim.operation, claim) for claim in claims)

    def put_back(self, claim: Claim) -> None:
        """A worker gave it back before it began: it is next in its line."""
        self._line(claim.rank).appendleft(claim)

    def first_line(self) -> deque[Claim] | None:
        """The most urgent that wait, in order. Who gives one to a worker takes it from the front."""
        while self._backlog:
            rank = min(self._backlog)
            if line := self._backlog[rank]:
                return line
            del self._backlog[rank]
        return None

    def held(self, operation: int, token: int) -> Claim | None:
        """The claim, if it is still this one."""
        claim = self.claims.get(operation)
        return claim if claim is not None and claim.token == token else None

    def is_waiting(self, claim: Claim) -> bool:
        """Whether it waits for a worker."""
        return claim in self._backlog.get(claim.rank, ())

    def withdraw(self, claim: Claim) -> None:
        """Take one out of the middle of the backlog."""
        self._backlog[claim.rank].remove(claim)

    def drain(self) -> list[Claim]:
        """Everything that waits, taken out of the backlog."""
        claims = [claim for rank in sorted(self._backlog) for claim in self._backlog[rank]]
        self._backlog.clear()
        return claims

    def end(self, claim: Claim) -> None:
        """A verdict has been reached."""
        operation = claim.operation
        self.claims.pop(operation, None)
        if self.asked:
            self.asked.pop(operation, None)
        if self.touched:
            self.touched.pop(operation, None)

    def clear(self) -> None:
        """Forget everything: another host has it now."""
        self.claims.clear()
        self.asked.clear()
        self.touched.clear()
        self.drain()

    def _line(self, rank: int) -> deque[Claim]:
        return self._backlog.setdefault(rank, deque())

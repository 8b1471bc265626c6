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
        self._waiting = 0

    def __len__(self) -> int:
        return len(self.claims)

    @property
    def waiting(self) -> int:
        """How many wait for a worker."""
        return self._waiting

    def take(self, claims: list[Claim]) -> None:
        """New claims, to be given away in order."""
        for rank, line in groupby(claims, key=_rank):
            self._line(rank).extend(line)
        self.claims.update((claim.operation, claim) for claim in claims)
        self._waiting += len(claims)

    def put_back(self, claim: Claim) -> None:
        """A worker gave it back before it began: it is next in its line."""
        self._line(claim.rank).appendleft(claim)
        self._waiting += 1

    def first(self) -> Claim | None:
        """The most urgent that waits."""
        while self._backlog:
            rank = min(self._backlog) if len(self._backlog) > 1 else next(iter(self._backlog))
            line = self._backlog[rank]
            if line:
                return line[0]
            del self._backlog[rank]
        return None

    def given(self, claim: Claim) -> None:
        """The first in its line has gone to a worker."""
        self._backlog[claim.rank].popleft()
        self._waiting -= 1

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
        self._waiting -= 1

    def drain(self) -> list[Claim]:
        """Everything that waits, taken out of the backlog."""
        claims = [claim for rank in sorted(self._backlog) for claim in self._backlog[rank]]
        self._backlog.clear()
        self._waiting = 0
        return claims

    def end(self, claim: Claim) -> None:
        """A verdict has been reached."""
        self.claims.pop(claim.operation, None)
        self.asked.pop(claim.operation, None)
        self.touched.pop(claim.operation, None)

    def clear(self) -> None:
        """Forget everything: another host has it now."""
        self.claims.clear()
        self.asked.clear()
        self.touched.clear()
        self.drain()

    def _line(self, rank: int) -> deque[Claim]:
        return self._backlog.setdefault(rank, deque())

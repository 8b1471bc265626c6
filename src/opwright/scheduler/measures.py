"""How long triggers run, measured; and from that, how much may be claimed ahead."""

from __future__ import annotations

from collections.abc import Iterable

from opwright.clock import SECOND
from opwright.model.worker import Outcome, StatusUpdate

FAST = 0.005  # seconds; what runs longer is never claimed ahead
WEIGHT = 0.1  # of the newest run in the mean
MOST_AHEAD = 2000
MEASURED = (Outcome.DONE, Outcome.FAILED, Outcome.ENDED, Outcome.WAIT, Outcome.RETRY)  # of runs that nobody broke off


class Measures:
    """The mean run time of each trigger in seconds, the newest runs weighing most."""

    def __init__(self) -> None:
        self.means: dict[str, float] = {}  # by trigger, once it has run

    def add(self, trigger: str, update: StatusUpdate) -> None:
        """Take a run into account, if it ran as long as it wanted."""
        if update.begun is None or update.ended is None or update.outcome not in MEASURED:
            return
        seconds = max(update.ended - update.begun, 0) / SECOND
        old = self.means.get(trigger)
        self.means[trigger] = seconds if old is None else old + WEIGHT * (seconds - old)

    def fast(self, triggers: Iterable[str]) -> list[str]:
        """Those measured to be fast."""
        means = self.means
        return [trigger for trigger in triggers if means.get(trigger, FAST) < FAST]


class LookAhead:
    """How many operations to hold beyond the free slots.

    It grows while the pool runs dry between claims, and shrinks when what was claimed ahead lies too long.
    """

    def __init__(self, *, auto: bool, first: int) -> None:
        self._auto = auto
        self._first = max(first, 16)
        self._size = self._first

    @property
    def size(self) -> int:
        """Operations; 0 when look-ahead is off."""
        return self._size if self._auto else 0

    def ran_dry(self) -> None:
        """The pool waited for a claim although there was more to claim."""
        self._size = min(self._size * 2, MOST_AHEAD)

    def lay_long(self) -> None:
        """What was claimed ahead lay for more than a few milliseconds."""
        self._size = max(self._size // 2, self._first)

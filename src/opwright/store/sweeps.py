"""The gateway to deletion: whose turn a sweep is, what is old enough, and deleting all that there is of an operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from opwright.clock import SECOND
from opwright.model.status import OutcomeCode
from opwright.store.engine import Engine, Lane, Plan, call
from opwright.store.postgresql import ANSWER_SECONDS, STATEMENT_SECONDS
from opwright.store.postgresql_address import CONNECT_SECONDS
from opwright.store.surely import SECONDS

# A submit whose answer was lost is sent again under the same id, and would be stored a second time if its record were gone.
# So what has just ended is spared for as long as that may take, in seconds: until the answer counts as lost, while the submit
# is tried again, and for the last try and its look at what is there.
SPARED = SECONDS + 3 * (CONNECT_SECONDS + STATEMENT_SECONDS + ANSWER_SECONDS)


class Place(NamedTuple):
    """The time by which a sweep judges (microseconds), and how far it has come.

    Every operation up to ``front`` has been looked at once; up to ``behind`` once more, in the round that is going on.
    """

    now: int
    front: int
    behind: int

    def before(self, seconds: float) -> int:
        """The moment so many seconds ago, in microseconds; not before the first of all moments, however many they are."""
        return max(self.now - round(seconds * SECOND), 0)


class Aged(NamedTuple):
    """A window of operations: those that are due, and the last one that was looked at; None when there was nothing to look at."""

    due: list[int]
    last: int | None


class Unhappy(NamedTuple):
    """A position among FAILED or CANCELLED operations, which stand in the order of their ends (microseconds)."""

    ended: int
    operation: int


class Failed(NamedTuple):
    """One of a window of FAILED operations."""

    position: Unhappy
    due: bool


class Swept(NamedTuple):
    """An operation whose record was deleted, as the log tells it. Times are microseconds; ``error`` is cut short."""

    operation: int
    trigger: str
    code: OutcomeCode
    created: int
    ended: int
    error: str | None


START = Unhappy(-1, -1)


class Sweeps:
    """Takes turns over all hosts, looks in windows, deletes in batches; each call is a short transaction of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def claim(self, name: str, interval: float) -> bool:
        """Whether it is this host's turn, which then is the only one for ``interval`` seconds."""
        return bool(await self._engine.run("claim_sweep", Lane.SWEEP, name=name, interval=round(interval * SECOND)))

    async def due_in(self, name: str, interval: float) -> float:
        """Seconds until the next turn, of whatever host."""
        rows = await self._engine.run("sweep_due", Lane.SWEEP, name=name, interval=round(interval * SECOND))
        return min(max(rows[0]["wait"] / SECOND, 0.0), interval) if rows else 0.0

    async def place(self, name: str) -> Place:
        """How far a sweep has come, and the engine's clock."""
        (row,) = await self._engine.run("sweep_place", Lane.SWEEP, name=name)
        return Place(row["now"], row["front"], row["behind"])

    async def keep_place(self, name: str, front: int, behind: int) -> None:
        """Note how far a sweep has come."""
        await self._engine.run("keep_sweep_place", Lane.SWEEP, name=name, front=front, behind=behind)

    async def successes(self, after: int, before: int, cutoff: int, limit: int) -> Aged:
        """A window of what was submitted between two ids: those that succeeded before ``cutoff`` (microseconds) are due."""
        rows = await self._engine.run(
            "aged_successes", Lane.SWEEP, after=after, before=before, cutoff=cutoff, limit=limit
        )  # fmt: skip
        return Aged([row["operation"] for row in rows if row["due"]], rows[-1]["operation"] if rows else None)

    async def successes_of(self, queue: str, after: int, before: int, cutoff: int, limit: int) -> Aged:
        """The same, where only operations of one queue are due."""
        rows = await self._engine.run(
            "aged_successes_of_queue", Lane.SWEEP, queue=queue, after=after, before=before, cutoff=cutoff, limit=limit
        )  # fmt: skip
        return Aged([row["operation"] for row in rows if row["due"]], rows[-1]["operation"] if rows else None)

    async def unhappy(self, code: OutcomeCode, cutoff: int, behind: Unhappy, limit: int) -> list[Unhappy]:
        """What FAILED, or was CANCELLED, before ``cutoff``: a window behind a position."""
        rows = await self._engine.run(
            "aged_unhappy", Lane.SWEEP, status=int(code), cutoff=cutoff, limit=limit, **behind._asdict()
        )  # fmt: skip
        return [Unhappy(*row) for row in rows]

    async def count_failed(self) -> int:
        """How many FAILED operations there are."""
        (row,) = await self._engine.run("count_failed", Lane.SWEEP)
        return int(row["failed"])

    async def last_surplus(self, surplus: int) -> int:
        """The newest of the ``surplus`` oldest FAILED operations; 0 if there are not so many."""
        rows = await self._engine.run("last_surplus", Lane.SWEEP, offset=surplus - 1)
        return int(rows[0]["operation"]) if rows else 0

    async def failed(self, surplus: int, cutoff: int, behind: Unhappy, limit: int) -> list[Failed]:
        """A window of FAILED operations: due are those up to the id ``surplus``, and those submitted before ``cutoff``."""
        rows = await self._engine.run(
            "failed_window", Lane.SWEEP, surplus=surplus, cutoff=cutoff, limit=limit, **behind._asdict()
        )  # fmt: skip
        return [Failed(Unhappy(row["ended"], row["operation"]), bool(row["due"])) for row in rows]

    async def delete(self, operations: Sequence[int]) -> list[Swept]:
        """Delete the records of those of these ended operations that nobody needs any more; what they were, in order."""
        return await self._engine.play(_delete(sorted(operations)), Lane.SWEEP)


def _delete(operations: list[int]) -> Plan[list[Swept]]:
    rows = yield call("sweepable", operations=operations)
    swept = [
        Swept(row["id"], row["trigger"], OutcomeCode(row["status"]), row["created"], row["ended"], row["error"]) for row in rows
    ]
    if swept:
        yield call("sweep", operations=[one.operation for one in swept])
    return swept

"""The gateway to what people ask about operations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from opwright.errors import OperationNotFound
from opwright.model.operation import NewOperation, Note, OnConflict, Operation
from opwright.model.status import OutcomeCode, Status
from opwright.store import submits
from opwright.store.engine import Engine, Lane, Row

Ending = tuple[OutcomeCode, str | None, str | None]


class Operations:
    """Submitting, looking up and cancelling."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def submit(self, operations: Sequence[NewOperation]) -> None:
        """Write operations without keys in one transaction."""
        if submits.is_plain(operations):
            (step,) = submits.submit(operations)  # one statement: a transaction without a round trip for its begin and its end
            await self._engine.run(step.name, **step.values)
        else:
            await self._engine.play(submits.submit(operations))
        self._engine.notify()

    async def submit_keyed(self, operation: NewOperation, on_conflict: OnConflict) -> int:
        """Write one operation with a key; the id of the operation that holds it. Raises KeyTaken."""
        winner = await self._engine.play(submits.submit_keyed(operation, on_conflict))
        self._engine.notify()
        return winner

    async def cancel(self, operation: int, reason: str) -> str:
        """``cancelled``, ``asked`` (its host will) or ``nothing`` (it has ended, or does not exist)."""
        answer = await self._engine.play(submits.cancel(operation, reason))
        self._engine.notify()
        return answer

    async def resume(self, operation: int, value: str) -> bool:
        """Give a value (JSON text) to its next wait; False when it has ended or does not exist."""
        found = await self._engine.play(submits.resume(operation, value))
        self._engine.notify()
        return found

    async def retry(self, operation: int) -> int:
        """Submit an ended operation once more; the new id. Raises OperationNotFound, InvalidOperation, KeyTaken."""
        again = await self._engine.play(submits.retry(operation))
        self._engine.notify()
        return again

    async def children(self, operation: int) -> dict[int, str | None]:
        """What was submitted while an operation ran: ids, and their triggers."""
        return {row["id"]: row["trigger"] for row in await self._engine.run("children", operation=operation)}

    async def predecessors(self, operation: int) -> dict[int, str | None]:
        """What an operation follows: ids, and their triggers as far as they are known."""
        return {row["id"]: row["trigger"] for row in await self._engine.run("predecessors", operation=operation)}

    async def get(self, operation: int) -> Operation:
        """One operation. Raises OperationNotFound."""
        rows = await self._engine.run("operation", operation=operation)
        if not rows:
            raise not_found(operation)
        return operation_of(rows[0])

    async def latest(self, limit: int, before: int = 2**63 - 1) -> list[Operation]:
        """The newest operations with an id below ``before``."""
        return [operation_of(row) for row in await self._engine.run("latest", before=before, limit=limit)]

    async def counts(self) -> dict[Status, int]:
        """How many operations stand where."""
        rows = await self._engine.run("counts")
        return {Status(row["status"]): row["operations"] for row in rows}

    async def ended(self, operations: Sequence[int]) -> dict[int, Ending]:
        """Of these operations, those that have ended, with code, result and error."""
        rows = await self._engine.run("ended", Lane.CLIENT, operations=list(operations))
        return {row["operation"]: (OutcomeCode(row["status"]), row["result"], row["error"]) for row in rows}

    async def unknown(self, operations: Sequence[int]) -> list[int]:
        """Of these operations, those of which there is no record: not committed yet, rolled back, or swept."""
        rows = await self._engine.run("unknown", Lane.CLIENT, operations=list(operations))
        return [row["operation"] for row in rows]

    async def notes(self, operation: int, after: int = 0) -> list[Note]:
        """The log lines of an operation after a position."""
        rows = await self._engine.run("notes", operation=operation, after=after)
        return [Note(*row) for row in rows]


def not_found(operation: int) -> OperationNotFound:
    """What to raise where there is no record of an operation, and will be none."""
    return OperationNotFound(f"there is no operation {operation}: never committed, or its record was swept")


def operation_of(row: Row) -> Operation:
    """A row of the view as an Operation."""
    fields = dict(row)
    times = {name: _time(fields[name]) for name in ("submitted", "due", "started", "ended")}
    return Operation(**fields | times | {"status": Status(fields["status"])})


def _time(value: datetime | str | None) -> datetime | None:
    """PostgreSQL's view gives times, SQLite's gives text."""
    parsed = datetime.fromisoformat(value) if isinstance(value, str) else value
    return parsed.astimezone(UTC) if parsed is not None else None

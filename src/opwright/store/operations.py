"""The gateway to what people ask about operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from opwright.errors import AlreadyRetried, DuplicateRow, KeyTaken, OperationNotFound
from opwright.model.ids import new_id
from opwright.model.operation import NewOperation, Note, OnConflict, Operation
from opwright.model.status import OutcomeCode, Status
from opwright.store import submits
from opwright.store.engine import Engine, Lane, Plan, Row
from opwright.store.here import Here
from opwright.store.lone import submit_alone
from opwright.store.surely import played, surely

Ending = tuple[OutcomeCode, str | None, str | None]


class Operations:
    """Submitting, looking up and cancelling."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def submit(self, operations: Sequence[NewOperation], here: Here | None = None) -> None:
        """Write operations without keys in one transaction, and tell who is to see them: the hosts of this process are ``here``.

        Raises DuplicateRow, StoreUnavailable, StoreUncertain.
        """
        await surely(lambda: self._write(operations, here), lambda: self._write_again(operations, here))

    async def _write(self, operations: Sequence[NewOperation], here: Here | None) -> None:
        if len(operations) == 1 and operations[0].at_once:
            await submit_alone(self._engine, operations[0], here)
            return
        if submits.is_plain(operations):
            (step,) = submits.submit(operations)  # one statement: a transaction without a round trip for its begin and its end
            await self._engine.run(step.name, **step.values)
        else:
            await played(self._engine, lambda: submits.submit(operations))
        self._landed(here)

    async def _write_again(self, operations: Sequence[NewOperation], here: Here | None) -> None:
        try:
            await self._write(operations, here)
        except DuplicateRow:
            if not await self._stored(operations[0].id, partial(_is_this, operations[0])):
                raise
            self._landed(here)

    def _landed(self, here: Here | None) -> None:
        if here is not None:
            here.wake()
        self._engine.notify()

    async def submit_keyed(self, operation: NewOperation, on_conflict: OnConflict) -> int:
        """Write one operation with a key; the id of the operation that holds it. Raises KeyTaken."""
        plan = lambda: submits.submit_keyed(operation, on_conflict)  # noqa: E731
        winner = await self._play_new(operation.id, plan, partial(_is_this, operation))
        self._engine.notify()
        return winner

    async def cancel(self, operation: int, reason: str) -> str:
        """``cancelled``, ``asked`` (its host will) or ``nothing`` (it has ended, or does not exist)."""
        write = lambda: played(self._engine, lambda: submits.cancel(operation, reason))  # noqa: E731
        answer = await surely(write, lambda: self._cancel_again(operation, reason))
        self._engine.notify()
        return answer

    async def _cancel_again(self, operation: int, reason: str) -> str:
        answer = await self._engine.play(submits.cancel(operation, reason))
        if answer == "nothing" and (ending := (await self.ended([operation])).get(operation)) is not None:
            return "cancelled" if (ending[0], ending[2]) == (OutcomeCode.CANCELLED, reason) else answer
        return answer

    async def resume(self, operation: int, value: str) -> bool:
        """Give a value (JSON text) to its next wait; False when it has ended or does not exist."""
        line = f"resumed (answer {new_id()})"  # a value that was given twice would answer two waits: by this it is known again
        write = lambda: played(self._engine, lambda: submits.resume(operation, value, line))  # noqa: E731
        found = await surely(write, lambda: self._resume_again(operation, value, line))
        self._engine.notify()
        return found

    async def _resume_again(self, operation: int, value: str, line: str) -> bool:
        try:
            return await self._engine.play(submits.resume_again(operation, value, line))
        except DuplicateRow:
            return True

    async def retry(self, operation: int) -> int:
        """Submit an ended operation once more; the new id.

        Raises OperationNotFound, InvalidOperation, AlreadyRetried, KeyTaken.
        """
        identifier = new_id()
        plan = lambda: submits.retry(operation, identifier=identifier)  # noqa: E731
        again = await self._play_new(identifier, plan, lambda row: bool(row["retry_of"] == operation))
        self._engine.notify()
        return again

    async def _play_new(self, identifier: int, plan: Callable[[], Plan[int]], is_ours: Callable[[Row], bool]) -> int:
        return await surely(lambda: played(self._engine, plan), lambda: self._play_again(identifier, plan, is_ours))

    async def _play_again(self, identifier: int, plan: Callable[[], Plan[int]], is_ours: Callable[[Row], bool]) -> int:
        """It may have landed, and even ended: then it holds its key no more, and another one may."""
        try:
            winner = await self._engine.play(plan())
        except (DuplicateRow, KeyTaken, AlreadyRetried):
            if await self._stored(identifier, is_ours):
                return identifier
            raise
        return identifier if winner != identifier and await self._stored(identifier, is_ours) else winner

    async def _stored(self, identifier: int, is_ours: Callable[[Row], bool]) -> bool:
        """Whether it is there; one of another process, which may have drawn the same id, does not count."""
        return any(is_ours(row) for row in await self._engine.run("stored", operation=identifier))

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


def _is_this(operation: NewOperation, row: Row) -> bool:
    return (row["trigger"], row["inputs"]) == (operation.trigger, operation.inputs)


def operation_of(row: Row) -> Operation:
    """A row of the view as an Operation."""
    fields = dict(row)
    times = {name: _time(fields[name]) for name in ("submitted", "due", "started", "ended")}
    return Operation(**fields | times | {"status": Status(fields["status"])})


def _time(value: datetime | str | None) -> datetime | None:
    """PostgreSQL's view gives times, SQLite's gives text."""
    parsed = datetime.fromisoformat(value) if isinstance(value, str) else value
    return parsed.astimezone(UTC) if parsed is not None else None

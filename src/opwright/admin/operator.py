"""Operator: an Admin that also acts. Every act on an operation leaves a line in its log that says whose it was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Self

from opwright.admin.admin import Admin
from opwright.admin.inputs import changed_inputs
from opwright.errors import OperationNotFound
from opwright.model.operation import NewOperation
from opwright.model.status import Status
from opwright.operations.client import Client
from opwright.operations.draft import draft
from opwright.operations.payload import plain_value
from opwright.operations.queue import Queue
from opwright.operations.registry import Registry
from opwright.operations.request import Request
from opwright.store.acts import Acts

PAGE = 500


class Cancelling(NamedTuple):
    """What came of a cancel: ``cancelled``, ``asked`` (its host will), ``ended`` (too late), ``unknown`` (no such operation)."""

    id: int
    answer: str
    status: Status | None = None  # of one that had ended

    @property
    def wanted(self) -> bool:
        """Whether the operation is cancelled, or on its way to it."""
        return self.answer in ("cancelled", "asked") or self.status is Status.CANCELLED


class Operator(Admin):
    """Enter it (``async with``) to look and to act. ``by`` says who acts, and through what."""

    def __init__(self, client: Client, by: str) -> None:
        super().__init__(client)
        self._by = by
        self._acts: Acts

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._acts = Acts(self._store.engine, self._by)
        return self

    async def find(
        self, statuses: Sequence[Status], *, trigger: str | None = None, queue: str | None = None, since: datetime | None = None
    ) -> list[int]:
        """The ids of all operations that are in these statuses now; ``since``: only those that ended then or later."""
        found = [one for status in statuses for one in await self._find(status, trigger, queue, since)]
        return list(dict.fromkeys(found))  # one that moved meanwhile was met twice

    async def _find(self, status: Status, trigger: str | None, queue: str | None, since: datetime | None) -> list[int]:
        found: list[int] = []
        before: int | None = None
        while page := await self._listing.page(PAGE, status=status, trigger=trigger, before=before):
            before = page[-1].id
            late = [one for one in page if since is None or (one.ended is not None and one.ended >= since)]
            found += [one.id for one in late if queue is None or one.queue == queue]
            if len(late) < len(page) and status in (Status.FAILED, Status.CANCELLED):
                break  # these come by the time of their end, the last first: all that follow ended earlier
        return found

    async def cancel(self, operation: int) -> Cancelling:
        """Cancel an operation: at once when nobody has begun it, else by asking its host."""
        answer = await self._acts.cancel(operation)
        self.client.wake()
        if answer != "nothing":
            return Cancelling(operation, answer)
        try:
            return Cancelling(operation, "ended", (await self._store.operations.get(operation)).status)
        except OperationNotFound:
            return Cancelling(operation, "unknown")

    async def retry(
        self, operation: int, registry: Registry | None = None, pairs: Sequence[str] = (), document: str | None = None
    ) -> int:
        """Submit an ended operation once more; the new id. With a registry, some inputs may be given anew (see ``inputs``).

        Raises OperationNotFound, InvalidOperation while it has not ended, AlreadyRetried while a retry
        of it has not, UnknownTrigger, KeyTaken.
        """
        changed = await self._changed(operation, registry, pairs, document) if registry is not None else None
        again = await self._acts.retry(operation, changed)
        self.client.wake()
        return again

    async def _changed(self, operation: int, registry: Registry, pairs: Sequence[str], document: str | None) -> NewOperation:
        old = await self._store.operations.get(operation)
        trigger = registry.get(old.trigger)
        text = changed_inputs(trigger, old.inputs, pairs, document)
        return draft(trigger, text, Request(queue=old.queue, priority=old.priority), self.client.limits)

    async def retried(self) -> set[int]:
        """Every operation that has been submitted once more."""
        return await self._listing.retried()

    async def resume(self, operation: int, value: object = None) -> bool:
        """Give a value to its next wait; False when it has ended. Raises OperationNotFound, InvalidOperation."""
        found = await self._acts.resume(operation, plain_value("value", value))
        self.client.wake()
        if not found:
            await self._store.operations.get(operation)
        return found

    async def pause_queue(self, name: str) -> None:
        """Begin nothing more of a queue, on any host. Raises InvalidOperation for what is no name."""
        await Queue(self.client, name).pause()

    async def resume_queue(self, name: str) -> None:
        """Begin its operations again. Raises InvalidOperation for what is no name."""
        await Queue(self.client, name).resume()

"""The outbox of an operation scope: events are operations of a queue of their own, written in the scope's transaction."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from opwright.clock import SECOND
from opwright.errors import InvalidOperation
from opwright.model.event_state import EventState
from opwright.model.operation import NewOperation, OnConflict
from opwright.model.options import LONGEST
from opwright.operations.client import Client
from opwright.operations.draft import draft
from opwright.operations.handle import Handle
from opwright.operations.request import Request
from opwright.operations.trigger import Trigger
from opwright.store import submits
from opwright.store.engine import Plan

QUEUE = "events"
Inputs = Mapping[str, Any] | tuple[Any, ...]
Asked = tuple[Trigger[Any, Any], Inputs, int | None]
EventOf = Callable[[object, int | None], Asked]
"""Trigger, inputs and retries of the event by which a command is called; given the command and its retries."""


def as_event(trigger: Trigger[Any, Any], retries: int | None = None) -> Trigger[Any, Any]:
    """The trigger, for an event. Where neither the caller nor the trigger says how often it is tried again, the setting does."""
    unsaid = retries is None and not trigger.budget.retries
    return trigger.options(queue=QUEUE, retries=trigger.client.event_retries if unsaid else retries)


class Event:
    """What ``scope.events.add`` has put in."""

    def __init__(self, client: Client, trigger: Trigger[Any, Any], new: NewOperation, on_conflict: OnConflict) -> None:
        self.draft = new
        self.on_conflict = on_conflict
        self.later: Event | None = None  # which took its place in the same scope
        self.operation: int | None = None
        self._client = client
        self._trigger = trigger

    @property
    def handle(self) -> Handle[Any]:
        """Its operation; if another one held its key and it was skipped, that. Raises InvalidOperation before the commit."""
        if self.later is not None:
            return self.later.handle
        if self.operation is None:
            raise InvalidOperation("the event is not there before its operation scope is committed", field="event")
        return Handle(self._client, self.operation, self._trigger)

    async def state(self) -> EventState:
        """Where it stands. Raises InvalidOperation before the commit, OperationNotFound when its record was trimmed."""
        return EventState.of(await self.handle.status())


class Events:
    """The events of one scope. They are there when it commits, and never were if it does not."""

    def __init__(self, client: Client, event_of: EventOf, check: Callable[[], None]) -> None:
        self._client = client
        self._event_of = event_of
        self._check = check
        self._plain: list[Event] = []
        self._keyed: dict[tuple[str, str], Event] = {}
        self._written: list[tuple[Event, int]] = []

    def __len__(self) -> int:
        return len(self._plain) + len(self._keyed)

    def add(
        self,
        what: object,
        inputs: Inputs = (),
        *,
        delay: float | None = None,
        key: str | None = None,
        on_conflict: str | None = None,
        quantize: float | None = None,
        retries: int | None = None,
    ) -> Event:
        """Have a command called, or an operation of a trigger done with ``inputs``, after the commit, by whatever host is free.

        A broadcast becomes an event for each of its handlers, with retries of its own; the one that is added is Processed when
        these are there.
        ``delay``: seconds before which it is not begun. ``key``: while an event of the kind with this key has not ended, another
        one fails the command (``on_conflict="fail"``), is left out (``"skip"``), or takes its place (``"replace"``); within a
        scope the later takes the place of the earlier. ``quantize``: its time is rounded up to a multiple of so many seconds, and
        of those with its key only one is carried out at each such time. ``retries``: how often it is tried again before it is
        Discarded; those of its trigger, if that has any, or else the setting ``event_retries``.
        Raises InvalidOperation, UnknownCommand.
        """
        self._check()
        trigger, given, retries = (what, inputs, retries) if isinstance(what, Trigger) else self._event_of(what, retries)
        if quantize is not None:
            _check_quantum(quantize, key)
            on_conflict = on_conflict or OnConflict.SKIP.value
        asked = as_event(trigger, retries).options(delay=delay, key=key, on_conflict=on_conflict)
        request = asked.request if quantize is None else self._rounded(asked.request, quantize)
        text = asked.inputs.encode_one(given)
        new = draft(asked, text, request, self._client.limits)
        return self._keep(Event(self._client, trigger, new, request.on_conflict))

    def _rounded(self, request: Request, quantum: float) -> Request:
        earliest, step = request.due or self._client.clock.now() + (request.wait or 0), round(quantum * SECOND)
        due = math.ceil(earliest / step) * step
        return replace(request, due=due, wait=None, key=f"{request.key} at {due / SECOND:.3f}")

    def _keep(self, event: Event) -> Event:
        if event.draft.key is None:
            self._plain.append(event)
            return event
        name = (event.draft.trigger, event.draft.key)
        if (earlier := self._keyed.pop(name, None)) is not None:
            earlier.later = event
        self._keyed[name] = event
        return event

    def plan(self) -> Plan[None]:
        """Write them: keys in one order everywhere, so that scopes wait for each other and never in a circle. Raises KeyTaken."""
        if self._plain:
            yield from submits.submit([event.draft for event in self._plain])
        self._written = [(event, event.draft.id) for event in self._plain]
        for _, event in sorted(self._keyed.items()):
            self._written.append((event, (yield from submits.submit_keyed(event.draft, event.on_conflict))))

    def committed(self) -> None:
        """They are there."""
        for event, operation in self._written:
            event.operation = operation


def _check_quantum(quantum: object, key: str | None) -> None:
    if type(quantum) not in (int, float) or not 0.001 <= quantum <= LONGEST:  # type: ignore[operator]
        raise InvalidOperation(f"quantize: {quantum!r} is not a number of seconds from 0.001 to {LONGEST:g}", field="quantize")
    if key is None:
        raise InvalidOperation("quantize: give a key too, which says which events are one", field="quantize")

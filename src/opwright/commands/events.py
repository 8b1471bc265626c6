"""The outbox of an operation scope: events are operations of a queue of their own, written in the scope's transaction."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol, TypedDict, Unpack

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


class Commands(Protocol):
    """The commands of an application, as triggers."""

    def trigger_of(self, command: object) -> Trigger[Any, Any]:
        """That of a command. Raises UnknownCommand, InvalidOperation."""

    def triggers_of(self, command: object) -> list[Trigger[Any, Any]]:
        """Those of all who handle a broadcast. Raises InvalidOperation."""


class EventOptions(TypedDict, total=False):
    """Those of ``Events.add``."""

    delay: float | None
    key: str | None
    on_conflict: str | None
    quantize: float | None
    retries: int | None


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

    def __init__(self, client: Client, commands: Commands, check: Callable[[], None]) -> None:
        self._client = client
        self._commands = commands
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

        ``delay``: seconds before which it is not begun. ``key``: while an event of the kind with this key has not ended, another
        one fails the command (``on_conflict="fail"``), is left out (``"skip"``), or takes its place (``"replace"``); within a
        scope the later takes the place of the earlier. ``quantize``: its time is rounded up to a multiple of so many seconds, and
        of those with its key only one is carried out at each such time. ``retries``: how often it is tried again before it is
        Discarded; those of its trigger, if that has any, or else the setting ``event_retries``.
        Raises InvalidOperation, UnknownCommand.
        """
        self._check()
        trigger = what if isinstance(what, Trigger) else self._commands.trigger_of(what)
        if quantize is not None:
            _check_quantum(quantize, key)
            on_conflict = on_conflict or OnConflict.SKIP.value
        asked = trigger.options(
            queue=QUEUE, delay=delay, key=key, on_conflict=on_conflict, retries=self._retries(trigger, retries)
        )
        request = asked.request if quantize is None else self._rounded(asked.request, quantize)
        given = inputs if isinstance(what, Trigger) else (what,)
        text = asked.inputs.encode_one(given)
        new = draft(asked, text, request, self._client.limits)
        return self._keep(Event(self._client, trigger, new, request.on_conflict))

    def broadcast(self, command: object, **options: Unpack[EventOptions]) -> list[Event]:
        """Add an event for each handler of a broadcast that this process knows: each has a key, retries and an outcome.

        So who fails repeats nobody else's work. That nobody handles it is a warning. Raises InvalidOperation.
        """
        return [self.add(trigger, (command,), **options) for trigger in self._commands.triggers_of(command)]

    def _retries(self, trigger: Trigger[Any, Any], retries: int | None) -> int | None:
        return self._client.event_retries if retries is None and not trigger.budget.retries else retries

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

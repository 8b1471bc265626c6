"""What was submitted: as typed objects, and as assertions."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from opwright.app.application import Opwright
from opwright.model.operation import Operation
from opwright.model.status import Status
from opwright.operations.call import Call
from opwright.operations.trigger import Trigger
from opwright.store.listing import Listing

PAGE = 1000
MOST_SHOWN = 20
Source = Opwright | Trigger[Any, Any]


class Submitted(msgspec.Struct, frozen=True):
    """An operation as it was submitted, and where it stands now.

    ``inputs``: what the trigger is called with, decoded, with its own defaults for what was left out. ``due``: before when it
    is not begun.
    """

    id: int
    trigger: str
    inputs: dict[str, Any]
    status: Status
    queue: str
    priority: int
    key: str | None
    due: datetime | None

    def __str__(self) -> str:
        extras = [f"queue {self.queue}"] if self.queue != "default" else []
        extras += [f"priority {self.priority}"] if self.priority else []
        extras += [f"key {self.key!r}"] if self.key is not None else []
        extras += [f"due {self.due:%Y-%m-%d %H:%M:%S}"] if self.due is not None else []
        return " ".join([_written(self.trigger, self.inputs), self.status, *extras])


def submitted(source: Source, /, **inputs: Any) -> Call[list[Submitted]]:
    """Every operation of an application, or of one trigger, that was submitted with these inputs; oldest first.

    Those that have ended are among them: ask their ``status``. Inputs that are not named may be anything.
    """
    return Call("submitted()", lambda: _fitting(source, inputs))


def assert_submitted(source: Source, /, **inputs: Any) -> Call[Submitted]:
    """The last operation that ``submitted`` finds. Raises AssertionError, which lists what was submitted instead."""
    return Call("assert_submitted()", lambda: _assert_submitted(source, inputs))


def refute_submitted(source: Source, /, **inputs: Any) -> Call[None]:
    """Nothing of the kind was submitted. Raises AssertionError, which lists what was."""
    return Call("refute_submitted()", lambda: _refute_submitted(source, inputs))


async def _assert_submitted(source: Source, inputs: Mapping[str, Any]) -> Submitted:
    found = await _fitting(source, inputs)
    if found:
        return found[-1]
    others = await _stored(source, None)
    instead = f"; what was:{_lines(others)}" if others else "; nothing was"
    raise AssertionError(f"{_asked(source, inputs)} was not submitted{instead}")


async def _refute_submitted(source: Source, inputs: Mapping[str, Any]) -> None:
    found = await _fitting(source, inputs)
    if found:
        raise AssertionError(f"{_asked(source, inputs)} was submitted:{_lines(found)}")


async def _fitting(source: Source, inputs: Mapping[str, Any]) -> list[Submitted]:
    if isinstance(source, Trigger):
        _refuse_unknown(source, inputs)
    stored = await _stored(source, source.name if isinstance(source, Trigger) else None)
    return [one for one in stored if all(name in one.inputs and one.inputs[name] == value for name, value in inputs.items())]


def _refuse_unknown(trigger: Trigger[Any, Any], inputs: Mapping[str, Any]) -> None:
    """An input that the trigger does not have would make every refutation true."""
    names = inspect.signature(trigger.function).parameters
    for name in inputs:
        if name not in names:
            raise TypeError(f"{trigger.name} has no input {name!r}; its inputs are {', '.join(names) or 'nothing'}")


async def _stored(source: Source, trigger: str | None) -> list[Submitted]:
    """Operations, oldest first, with the inputs that their trigger would get."""
    client = source.client
    listing = Listing((await client.store()).engine)
    found: list[Operation] = []
    while page := await listing.page(PAGE, trigger=trigger, before=found[-1].id if found else None):
        found += page
    return [_submitted(one, _known(source, one.trigger)) for one in reversed(found)]


def _known(source: Source, name: str) -> Trigger[Any, Any] | None:
    if isinstance(source, Trigger):
        return source if source.name == name else None
    return source.registry.find(name)


def _submitted(one: Operation, trigger: Trigger[Any, Any] | None) -> Submitted:
    inputs = msgspec.json.decode(one.inputs, type=dict[str, Any]) if trigger is None else _decoded(trigger, one.inputs)
    return Submitted(one.id, one.trigger, inputs, one.status, one.queue, one.priority, one.key, one.due)


def _decoded(trigger: Trigger[Any, Any], text: str) -> dict[str, Any]:
    bound = inspect.signature(trigger.function).bind(**trigger.decode(text))
    bound.apply_defaults()
    return bound.arguments


def _asked(source: Source, inputs: Mapping[str, Any]) -> str:
    return _written(source.name if isinstance(source, Trigger) else "an operation", inputs)


def _written(name: str, inputs: Mapping[str, Any]) -> str:
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in inputs.items())})"


def _lines(found: list[Submitted]) -> str:
    """One line each; of many, the last."""
    lines = [str(one) for one in found[-MOST_SHOWN:]]
    more = [f"... and {len(found) - MOST_SHOWN} before"] if len(found) > MOST_SHOWN else []
    return "".join(f"\n    {line}" for line in (*more, *lines))

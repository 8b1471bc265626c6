"""Inputs as people type them: ``width=640`` is a number or a text, whichever the trigger's parameter wants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any, get_type_hints

import msgspec

from opwright.errors import InvalidOperation
from opwright.operations.trigger import Trigger


def typed_inputs(trigger: Trigger[Any, Any], pairs: Sequence[str], document: str | None) -> dict[str, Any]:
    """The inputs of a submit from ``NAME=VALUE`` pairs and a JSON object. Raises InvalidOperation, which names the field.

    A VALUE is taken as JSON where that fits the declared type of the parameter, else as text. What is in the object is JSON.
    """
    kinds = declared(trigger)
    given: dict[str, Any] = {name: _from_json(name, text, kinds.get(name, Any)) for name, text in _members(document)}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise InvalidOperation(f"{pair!r} is not NAME=VALUE", field="inputs")
        if name in given:
            raise InvalidOperation(f"{name}: given twice", field=name)
        given[name] = typed_value(name, text, kinds.get(name, Any))
    _refuse_unknown(trigger, given)
    return given


def changed_inputs(trigger: Trigger[Any, Any], stored: str, pairs: Sequence[str], document: str | None) -> str:
    """Stored inputs with those that are given in their place, as JSON text. Raises InvalidOperation, which names the field."""
    given = typed_inputs(trigger, pairs, document)
    fresh = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in given.items()}
    merged = msgspec.json.decode(stored, type=dict[str, msgspec.Raw]) | fresh
    try:
        arguments = trigger.decode(msgspec.json.encode(merged).decode())
    except msgspec.ValidationError as error:
        raise InvalidOperation(f"the inputs no longer fit {trigger.name}: {error}; give those too", field="inputs") from None
    return trigger.inputs.encode((), arguments)


def _refuse_unknown(trigger: Trigger[Any, Any], given: dict[str, Any]) -> None:
    names = list(signature(trigger.function).parameters)
    for name in given:
        if name not in names:
            expected = ", ".join(names) or "nothing"
            raise InvalidOperation(f"{name}: {trigger.name} has no such input; its inputs are {expected}", field=name)


def declared(trigger: Trigger[Any, Any]) -> dict[str, Any]:
    """The declared type of each parameter that has one. Raises ConfigurationError when one cannot travel."""
    _ = trigger.inputs  # refuses with a better error than get_type_hints
    return get_type_hints(trigger.function, include_extras=True)


def typed_value(name: str, text: str, kind: Any) -> Any:
    """A text as a value of a type. Raises InvalidOperation."""
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        return _converted(name, text, lambda: msgspec.convert(text, kind), _reason(error))


def _members(document: str | None) -> list[tuple[str, bytes]]:
    if document is None:
        return []
    try:
        members = msgspec.json.decode(document, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        raise InvalidOperation(f"the JSON inputs are not a JSON object: {error}", field="inputs") from None
    return [(name, bytes(raw)) for name, raw in members.items()]


def _from_json(name: str, text: bytes, kind: Any) -> Any:
    return _converted(name, text.decode(), lambda: msgspec.json.decode(text, type=kind), None)


def _converted(name: str, text: str, convert: Callable[[], Any], reason: str | None) -> Any:
    """What ``convert`` gives; its refusal, or the ``reason`` known before, becomes an error that names the field."""
    try:
        return convert()
    except msgspec.ValidationError as error:
        shown = text if len(text) <= 60 else f"{text[:57]}..."
        raise InvalidOperation(f"{name}: {shown!r} does not fit: {reason or error}", field=name) from None


def _reason(error: Exception) -> str | None:
    """Why a text is no JSON says nothing to somebody who typed a word; why JSON does not fit does."""
    return str(error) if isinstance(error, msgspec.ValidationError) else None

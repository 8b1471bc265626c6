"""Typed values to JSON text and back, with everything refused at the door that a database or another reader would choke on."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, time, timedelta
from typing import Any, get_type_hints

import msgspec

from opwright.errors import ConfigurationError, InvalidOperation

LARGEST = 1024 * 1024  # bytes of inputs, and of a result
AT_ONCE = 1000  # inputs that are checked and encoded together: a fifth of the time of one after the other
_BITS = 63
_encoder = msgspec.json.Encoder()
_canonical = msgspec.json.Encoder(order="sorted")
# What may hide behind these is told apart by a walk through the value; most payloads match none of them.
# NaN and infinities become null, but text as keys; time zones had offsets with seconds until 1972.
_SUSPICIOUS = re.compile(rb"\\u0000|null|\d{19}|\"-?(?:nan|inf)\"|\"(?:0\d\d\d|1[0-8]\d\d|19[0-6]\d|197[0-2])-")
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_MARKS = (b"\\u0000", b"null", b"0" * 19, b'nan"', b'inf"', b'"0000-')  # with every digit as 0; one is in whatever matches
_FIELD = re.compile(r"`\$\.(\w+)")
_NAMELESS = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)


class Inputs:
    """The parameters of a trigger as a typed JSON object."""

    def __init__(self, trigger: str, function: Callable[..., Any]) -> None:
        refuse_nameless(trigger, function)
        self._trigger = trigger
        self._signature = inspect.signature(function)
        hints = hints_of(trigger, function)
        fields = [_field(parameter, hints) for parameter in self._signature.parameters.values()]
        self._type = msgspec.defstruct(f"{trigger} inputs", fields, forbid_unknown_fields=True, kw_only=True)
        self._types = list[self._type]  # type: ignore[name-defined]
        self._decoder = _decoder(trigger, self._type)
        self._names = tuple(self._signature.parameters)
        self._all_given = all(one.default is inspect.Parameter.empty for one in self._signature.parameters.values())
        self._keys = frozenset(self._names)
        by_name = any(one.kind is inspect.Parameter.KEYWORD_ONLY for one in self._signature.parameters.values())
        self._places = None if by_name else len(self._names)  # how many arguments in order are all of them

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """The arguments of a call as JSON text. Raises InvalidOperation, which names the field."""
        values = self._bound(args, kwargs)
        _fits(self._trigger, _convert, values, self._type)
        text = plain_value(self._trigger, values)
        _fits(
            self._trigger, self._decoder.decode, text
        )  # as the worker will read it; `convert` takes ready-made objects on trust
        return text

    def encode_many(self, items: Sequence[object]) -> list[str]:
        """Many calls as JSON texts, each given as a mapping by name or a tuple by position.

        Raises InvalidOperation, which says which item it was.
        """
        texts: list[str] = []
        for first in range(0, len(items), AT_ONCE):
            part = items[first : first + AT_ONCE]
            texts += self._at_once(part) or [self._item(number, one) for number, one in enumerate(part, first)]
        return texts

    def _at_once(self, items: Sequence[object]) -> list[str]:
        """All texts; none when one of them is refused, or wants a closer look."""
        try:
            values = self._all_bound(items)
            _convert(values, self._types)
            data = _encoder.encode_lines(values)
            if len(data) > LARGEST or (_looks_odd(data) and _SUSPICIOUS.search(data)):
                return []
            self._decoder.decode_lines(data)
        except (InvalidOperation, msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
            return []
        return data.decode().split("\n")[:-1]

    def _all_bound(self, items: Sequence[object]) -> list[Mapping[str, Any]]:
        if set(map(type, items)) == {tuple} and set(map(len, items)) == {self._places}:  # type: ignore[arg-type]
            return [dict(zip(self._names, one, strict=True)) for one in items]  # type: ignore[call-overload]
        return [self._bound(*_arguments(one)) for one in items]

    def encode_one(self, item: object) -> str:
        """The same for one call. Raises InvalidOperation."""
        return self.encode(*_arguments(item))

    def _item(self, number: int, one: object) -> str:
        try:
            return self.encode_one(one)
        except InvalidOperation as error:
            raise InvalidOperation(f"item {number}: {error}", field=error.field) from None

    def _bound(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments by name. When all are there the signature need not be asked, which took a third of the time of a row."""
        if not kwargs and len(args) == self._places:
            return dict(zip(self._names, args, strict=True))
        if not args and kwargs.keys() == self._keys:
            return {name: kwargs[name] for name in self._names}
        try:
            return self._signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise self._misfit(str(error)) from None

    def decode(self, text: str) -> dict[str, Any]:
        """The stored text as arguments; parameters that were left out are left to the function's defaults.

        Raises msgspec.ValidationError when the text no longer fits the parameters.
        """
        values = self._decoder.decode(text)
        if self._all_given:
            return msgspec.structs.asdict(values)
        return {name: value for name in self._names if (value := getattr(values, name)) is not msgspec.UNSET}

    def value(self, text: str, name: str) -> str:
        """The JSON text of one input, or of its default. Raises InvalidOperation when there is no such input."""
        if name not in self._names:
            raise InvalidOperation(
                f"limit: by: {self._trigger} has no input {name!r}, only {', '.join(self._names)}", field="limit"
            )
        given = getattr(self._decoder.decode(text), name)
        value = self._signature.parameters[name].default if given is msgspec.UNSET else given
        return _canonical.encode(value).decode()  # as its type reads it: 1 and 1.0 of a float share a lane, and keys in any order

    def _misfit(self, text: str) -> InvalidOperation:
        named = re.search(r"'(\w+)'", text)
        expected = ", ".join(self._names) or "nothing"
        return _refused(f"{self._trigger}: {text}; its inputs are {expected}", named[1] if named else None)


class Result:
    """What a trigger returns, as typed JSON text."""

    def __init__(self, trigger: str, function: Callable[..., Any]) -> None:
        self._trigger = trigger
        self._kind = hints_of(trigger, function).get("return", Any)
        self._decoder = _decoder(trigger, self._kind)
        self._may_be_nothing = _accepts_nothing(self._kind)

    def encode(self, value: Any) -> str | None:
        """A returned value as text, None as nothing. Raises InvalidOperation."""
        if value is None and self._may_be_nothing:
            return None  # what most triggers return: all the checks below cost as much as running one
        what = f"the result of {self._trigger}"
        _fits(what, _convert, value, self._kind)
        text = plain_value(what, value)
        _fits(what, self._decoder.decode, text)
        return None if value is None else text

    def decode(self, text: str | None) -> Any:
        """The stored text as the declared type."""
        return None if text is None else self._decoder.decode(text)


class Typed:
    """A value of one type, as JSON text. Raises ConfigurationError for a type that has no form in JSON."""

    def __init__(self, what: str, kind: Any) -> None:
        self._what = what
        self._kind = kind
        self._decoder = _decoder(what, kind)

    def encode(self, value: Any) -> str:
        """The value as text that reads back as the same type. Raises InvalidOperation."""
        _fits(self._what, _convert, value, self._kind)
        text = plain_value(self._what, value)
        _fits(self._what, self._decoder.decode, text)
        return text

    def decode(self, text: str) -> Any:
        """The text as a value of the type. Raises ValueError when it does not fit."""
        return self._decoder.decode(text)


def _accepts_nothing(kind: Any) -> bool:
    """Whether None is a value of this type."""
    try:
        _convert(None, kind)
    except msgspec.ValidationError:
        return False
    return True


def _arguments(item: object) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    if isinstance(item, tuple | list):
        return tuple(item), {}
    if isinstance(item, Mapping):
        return (), item
    raise _refused(f"{item!r} is neither a mapping by name nor a tuple by position", None)


def _convert(value: Any, kind: Any) -> Any:
    return msgspec.convert(value, kind, from_attributes=True)


def plain_value(what: str, value: Any) -> str:
    """Any value as JSON text, if it can be stored. Raises InvalidOperation."""
    try:
        data = _encoder.encode(value)
        if len(data) > LARGEST:
            raise _too_large(what, value, len(data))
        if _SUSPICIOUS.search(data):
            _walk(what, value)
        return data.decode()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise _refused(*_explain(what, value, error)) from None


def _looks_odd(data: bytes) -> bool:
    """Whether the expression may match: of a long text a tenth of its price, of a short one twice as much."""
    shape = data.translate(_DIGITS)
    return any(mark in shape for mark in _MARKS)


def _fits(what: str, read: Callable[..., Any], *given: Any) -> None:
    """Whether the values are what their types say. Raises InvalidOperation."""
    try:
        read(*given)
    except msgspec.ValidationError as error:
        field = _FIELD.search(str(error))
        raise _refused(
            f"{what} is not what it declares: {error}", field[1] if field else "result" if "result" in what else None
        ) from None
    except RecursionError as error:
        raise _refused(f"{what}: {_reason(error)}", None) from None


def _too_large(what: str, value: Any, size: int) -> InvalidOperation:
    """The part that weighs most is the one to look at."""
    parts = _parts(value)
    field = max(parts, key=lambda name: len(_encoder.encode(parts[name])))
    most = f", most of them in {field}" if field else ""
    advice = "store it elsewhere and send a reference"
    return _refused(f"{what}: {size:,} bytes of JSON{most}; at most {LARGEST:,} are kept: {advice}", field or None)


def _walk(what: str, value: Any) -> None:
    for field, part in _parts(value).items():
        for leaf in _leaves(msgspec.to_builtins(part, builtin_types=(datetime, time))):
            if problem := _problem(leaf):
                raise _refused(f"{_place(what, field)}: {problem}", field or None)


def _parts(value: Any) -> Mapping[str, Any]:
    """What a value is made of, by name: inputs, the fields of a dataclass or struct. Anything else is one part without a name."""
    if isinstance(value, dict) and value and all(isinstance(name, str) and name.isidentifier() for name in value):
        return value  # any other key might itself be what cannot be stored
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__} or {"": value}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)} or {"": value}
    return {"": value}


def _place(what: str, field: str) -> str:
    return f"{what}: {field}" if field else what


def _leaves(value: Any) -> Iterator[Any]:
    """Every key and every plain value inside."""
    stack = [value]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            stack.extend(value.keys())
            stack.extend(value.values())
        elif isinstance(value, list | tuple | set | frozenset):
            stack.extend(value)
        else:
            yield value


def _problem(value: Any) -> str | None:
    if isinstance(value, str) and "\x00" in value:
        return f"{value[:40]!r} holds a NUL character, which PostgreSQL cannot store"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value!r} has no form in JSON"
    if isinstance(value, int) and not -(1 << _BITS) <= value < 1 << _BITS:
        return f"{value} is beyond 64 bits; send it as text"
    if isinstance(value, datetime | time) and (value.utcoffset() or timedelta()) % timedelta(minutes=1):
        return f"{value!r} has a time zone with seconds, which JSON cannot tell; convert it to UTC"
    return None


def _explain(what: str, value: Any, error: Exception) -> tuple[str, str | None]:
    """Which part it was, found by encoding each alone."""
    for field, part in _parts(value).items():
        try:
            _encoder.encode(part)
        except (TypeError, ValueError, OverflowError, RecursionError) as found:
            return f"{_place(what, field)}: {_reason(found)}", field or None
    return f"{what}: {_reason(error)}", None


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return f"{error.object[error.start : error.end]!r} is half of a surrogate pair, not text"
    if isinstance(error, RecursionError):
        return "nested too deeply (or within itself)"
    return str(error)


def _refused(message: str, field: str | None) -> InvalidOperation:
    return InvalidOperation(message, field=field)


def hints_of(trigger: str, function: Callable[..., Any]) -> dict[str, Any]:
    """The resolved annotations of a function. Raises ConfigurationError where one cannot be resolved."""
    try:
        return get_type_hints(function, include_extras=True)
    except Exception as error:
        raise ConfigurationError(
            f"{trigger}: an annotation cannot be resolved ({type(error).__name__}: {error}); "
            "put the type at the module's top level"
        ) from error


def refuse_nameless(trigger: str, function: Callable[..., Any]) -> None:
    """Raises ConfigurationError when a parameter cannot be given by name."""
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in _NAMELESS:
            raise ConfigurationError(
                f"{trigger}: parameter {parameter} has no name in the stored inputs; use ordinary parameters"
            )


def _field(parameter: inspect.Parameter, hints: dict[str, Any]) -> tuple[str, Any] | tuple[str, Any, Any]:
    kind = hints.get(parameter.name, Any)
    if parameter.default is inspect.Parameter.empty:
        return parameter.name, kind
    return parameter.name, kind | msgspec.UnsetType if kind is not Any else Any, msgspec.UNSET


def _decoder(trigger: str, kind: Any) -> msgspec.json.Decoder[Any]:
    try:
        _refuse_foreign(msgspec.inspect.type_info(kind))
        return msgspec.json.Decoder(kind)
    except TypeError as error:
        raise ConfigurationError(f"{trigger}: {error}; what travels is JSON, so use types that msgspec knows") from error


def _refuse_foreign(info: Any) -> None:
    """Raise TypeError for a class that has no form in JSON, wherever it stands. msgspec would find out with the first value."""
    seen: list[Any] = []
    stack = [info]
    while stack:
        info = stack.pop()
        if isinstance(info, msgspec.inspect.CustomType):
            raise TypeError(f"{info.cls.__module__}.{info.cls.__qualname__} has no form in JSON")
        if isinstance(info, msgspec.inspect.Type | msgspec.inspect.Field) and not any(info is known for known in seen):
            seen.append(info)
            stack.extend(getattr(info, name) for name in info.__struct_fields__)
        elif isinstance(info, tuple):
            stack.extend(info)

"""What the functions of the pipeline declare. Whatever does not fit is refused at registration, with the reason."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import UnionType
from typing import Any, Union, get_origin

from opwright.errors import ConfigurationError
from opwright.operations.payload import hints_of, refuse_nameless


def place(function: Callable[..., Any]) -> str:
    """Where a function stands."""
    return f"{function.__module__}.{function.__qualname__}"


def command_type(function: Callable[..., Any]) -> type:
    """The annotation of the first parameter of a handler. Raises ConfigurationError when that is no class."""
    refuse_nameless(place(function), function)
    parameters = list(inspect.signature(function).parameters)
    if not inspect.iscoroutinefunction(function):
        raise ConfigurationError(f"{place(function)}: a handler is an async function: write `async def`")
    kind = hints_of(place(function), function).get(parameters[0]) if parameters else None
    if not isinstance(kind, type) or kind is object:
        raise ConfigurationError(
            f"{place(function)}: the first parameter of a handler is the command: annotate it with its class, "
            "a dataclass or a msgspec.Struct"
        )
    return kind


def wanted(function: Callable[..., Any], offered: dict[type, str]) -> dict[str, str]:
    """The parameters of a handler after the first, by name, and what each one is given.

    ``offered`` has a word for each type that may be asked for. Raises ConfigurationError for any other parameter.
    """
    hints = hints_of(place(function), function)
    names = list(inspect.signature(function).parameters)[1:]
    return {name: _offer(function, name, hints.get(name), offered) for name in names}


def _offer(function: Callable[..., Any], name: str, hint: Any, offered: dict[type, str]) -> str:
    for kind, word in offered.items():
        if isinstance(hint, type) and issubclass(hint, kind):
            return word
    known = ", ".join(f"{word}: {kind.__name__}" for kind, word in offered.items())
    raise ConfigurationError(
        f"{place(function)}: nobody can fill in the parameter {name!r}; after the command a handler may ask for {known}. "
        "What varies from call to call belongs into the command"
    )


def filtered_type(function: Callable[..., Any]) -> Any:
    """The class, or union of classes, of the first of a filter's three parameters; ``object`` where it says nothing.

    Raises ConfigurationError.
    """
    parameters = list(inspect.signature(function).parameters)
    if len(parameters) != 3 or not inspect.iscoroutinefunction(function):
        raise ConfigurationError(
            f"{place(function)}: a filter is `async def f(command, context, call_next)` and returns `await call_next()`"
        )
    kind = hints_of(place(function), function).get(parameters[0], object)
    kind = object if kind is Any else kind
    if not isinstance(kind, type | UnionType) and get_origin(kind) is not Union:
        raise ConfigurationError(f"{place(function)}: {kind!r} is no class, so nobody can tell which commands it means")
    try:
        issubclass(int, kind)
    except TypeError as error:
        raise ConfigurationError(f"{place(function)}: {kind!r} cannot tell which commands it means: {error}") from None
    return kind


def takes_entry(function: Callable[..., Any]) -> bool:
    """Whether a function for invalidation takes the entry besides the command. Raises ConfigurationError."""
    parameters = inspect.signature(function).parameters.values()
    by_position = [one for one in parameters if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD}]
    if len(by_position) not in {1, 2}:
        raise ConfigurationError(f"{place(function)}: what invalidates takes the command, and the log entry if it likes")
    return len(by_position) == 2

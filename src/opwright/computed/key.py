"""What makes two calls the same call: their arguments, however they are spelt."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Any


class Keys:
    """Turns the arguments of one function into tuples: a value for each parameter, defaults filled in.

    ``arity``: so many positional arguments are a key as they are; -1 where none ever are. ``bound``: the first parameter is
    an instance, which is none of the arguments.
    """

    def __init__(self, function: Callable[..., Any], *, bound: bool) -> None:
        signature = inspect.signature(function)
        parameters = list(signature.parameters.values())[1 if bound else 0 :]
        self.name = function.__qualname__
        self.signature = signature.replace(parameters=parameters)
        self.parameters = parameters
        self.spelt = [(one.name, one.default) for one in parameters]
        plain = all(one.kind is Parameter.POSITIONAL_OR_KEYWORD for one in parameters)
        self.arity = len(parameters) if plain else -1

    def of(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
        """The key of a call. Raises TypeError for arguments that the function does not take."""
        if len(args) > self.arity:
            return self._of_any_kind(args, kwargs)
        values, known = list(args), 0
        for name, default in self.spelt[len(args) :]:
            if name in kwargs:
                known += 1
            elif default is Parameter.empty:
                break
            values.append(kwargs.get(name, default))
        whole = len(values) == self.arity and known == len(kwargs)
        return tuple(values) if whole else self._of_any_kind(args, kwargs)

    def _of_any_kind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
        """The same for every kind of parameter, slowly; it is also what refuses."""
        try:
            found = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}(): {error}") from None
        found.apply_defaults()
        return tuple(
            tuple(sorted(found.arguments[one.name].items())) if one.kind is Parameter.VAR_KEYWORD else found.arguments[one.name]
            for one in self.parameters
        )

    def check(self, key: tuple[Any, ...]) -> None:
        """Raises TypeError, with the name of the argument, when a key cannot be looked up."""
        for parameter, value in zip(self.parameters, key, strict=True):
            try:
                hash(value)
            except TypeError as error:
                raise TypeError(
                    f"{self.name}(): the argument {parameter.name} is part of the cache's key and must be hashable, "
                    f"for example a tuple or a frozen dataclass: {error}"
                ) from None

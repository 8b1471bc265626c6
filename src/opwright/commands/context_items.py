"""The bag of one command: any values, in memory, gone with the command."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from opwright.errors import ItemMissing
from opwright.model.items import NOTHING

T = TypeVar("T")
D = TypeVar("D")


class ContextItems:
    """One value of each type by ``set`` and ``get``, and besides any by name: ``items["cart"] = 3``."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[type | str, Any] = {}

    def set(self, value: object) -> None:
        """Put a value in, in place of the one of the same type."""
        self._values[type(value)] = value

    @overload
    def get(self, kind: type[T]) -> T: ...
    @overload
    def get(self, kind: type[T], default: D) -> T | D: ...
    def get(self, kind: Any, default: Any = NOTHING) -> Any:
        """The value of exactly this type. Raises ItemMissing where there is none and no default."""
        found = self._values.get(kind, default)
        if found is NOTHING:
            raise ItemMissing(f"the command has no item of type {kind.__qualname__}")
        return found

    def __getitem__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise ItemMissing(f"the command has no item named {name!r}") from None

    def __setitem__(self, name: str, value: object) -> None:
        self._values[name] = value

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def snapshot(self) -> dict[type | str, Any]:
        """What is in it now, to be given to ``restore``."""
        return dict(self._values)

    def restore(self, values: dict[type | str, Any]) -> None:
        """Hold exactly these values again."""
        self._values = dict(values)

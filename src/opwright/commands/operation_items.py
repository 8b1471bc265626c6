"""The bag of an operation: what its command leaves for those who invalidate, on every host."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar, overload

from opwright.errors import ConfigurationError, InvalidOperation
from opwright.model.items import NOTHING, Items, key_of
from opwright.operations.payload import Typed

T = TypeVar("T")
D = TypeVar("D")


@lru_cache(maxsize=1_000)
def _typed(kind: type) -> Typed:
    return Typed(f"the item {key_of(kind)}", kind)


class OperationItems:
    """At most one value of each type; its key is the type's name. A value is encoded when it is put in."""

    __slots__ = ("_kinds", "_values")

    def __init__(self) -> None:
        self._kinds: dict[str, type] = {}
        self._values: dict[str, bytes] = {}

    def keyless_set(self, value: object) -> None:
        """Put a value in, in place of the one of its type.

        Raises InvalidOperation for a value that cannot travel as JSON, and where another type of the same name is in.
        """
        kind = type(value)
        key = key_of(kind)
        if self._kinds.get(key, kind) is not kind:
            raise InvalidOperation(f"items: two types are named {key}, and only the name travels; rename one", field="items")
        self._values[key] = _encoded(kind, value)
        self._kinds[key] = kind

    @overload
    def keyless_get(self, kind: type[T]) -> T: ...
    @overload
    def keyless_get(self, kind: type[T], default: D) -> T | D: ...
    def keyless_get(self, kind: Any, default: Any = NOTHING) -> Any:
        """The value of this type, as it will arrive. Raises ItemMissing where there is none and no default."""
        return self.snapshot().keyless_get(kind, default)

    def snapshot(self) -> Items:
        """What is in it now."""
        return Items(self._values)

    def copy(self) -> OperationItems:
        """A bag of its own with the same values."""
        fresh = OperationItems()
        fresh._kinds, fresh._values = dict(self._kinds), dict(self._values)
        return fresh


def _encoded(kind: type, value: object) -> bytes:
    try:
        return _typed(kind).encode(value).encode()
    except ConfigurationError as error:
        raise InvalidOperation(f"items: {error}", field="items") from None

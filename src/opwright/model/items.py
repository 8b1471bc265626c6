"""What a command leaves for those who invalidate: at most one value of each type, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar, get_origin, overload

import msgspec

from opwright.errors import ItemMissing

T = TypeVar("T")
D = TypeVar("D")

NOTHING: Final[Any] = object()  # None may be a default


def key_of(kind: Any) -> str:
    """The name under which a value of this type travels; that of ``list[int]`` is ``list``."""
    return str((get_origin(kind) or kind).__qualname__)


class Items:
    """Values that have travelled, or can. They never change; each look decodes a value of its own."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, bytes] | None = None) -> None:
        self._values = dict(values or {})

    def __repr__(self) -> str:
        return f"<items {', '.join(sorted(self._values)) or 'none'}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Items) and self._values == other._values

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    @overload
    def keyless_get(self, kind: type[T]) -> T: ...
    @overload
    def keyless_get(self, kind: type[T], default: D) -> T | D: ...
    def keyless_get(self, kind: Any, default: Any = NOTHING) -> Any:
        """The value of this type. Raises ItemMissing where there is none and no default, ValueError where it no longer fits."""
        data = self._values.get(key_of(kind))
        if data is not None:
            return msgspec.json.decode(data, type=kind)
        if default is NOTHING:
            raise ItemMissing(f"there is no item of type {key_of(kind)}, only {self!r}")
        return default

    def encode(self) -> str | None:
        """All values as the text of a JSON object; None where there are none."""
        if not self._values:
            return None
        return msgspec.json.encode({key: msgspec.Raw(data) for key, data in self._values.items()}).decode()

    @classmethod
    def decode(cls, text: str | None) -> Items:
        """What ``encode`` wrote. Raises ValueError for anything else."""
        if text is None:
            return cls()
        found = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        return cls({key: bytes(data) for key, data in found.items()})

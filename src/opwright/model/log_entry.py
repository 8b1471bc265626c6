"""The record of one committed command, as every process that caches reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from opwright.model.items import Items


class NestedEntry(msgspec.Struct, frozen=True):
    """A command that was called from within another, with its own items."""

    command: str
    inputs: str
    items: Items


class LogEntry(msgspec.Struct, frozen=True):
    """One committed command. ``command`` is its registered name, never a path to code; ``inputs`` its JSON text.

    ``id``: of the operation, the same over all its attempts. ``origin``: of the process that carried it out.
    ``logged_at``: microseconds since 1970 by the clock of that process. ``nested``: in the order in which they ended.
    """

    id: int
    origin: int
    logged_at: int
    command: str
    inputs: str
    items: Items = Items()
    nested: tuple[NestedEntry, ...] = ()

    def parts(self) -> Iterator[LogEntry]:
        """Each nested command in order and then the outermost one, as an entry with its own items."""
        for one in self.nested:
            yield msgspec.structs.replace(self, command=one.command, inputs=one.inputs, items=one.items, nested=())
        yield self


class _Written(msgspec.Struct):
    """A nested entry as it stands in a row: its texts are JSON themselves."""

    command: str
    inputs: msgspec.Raw
    items: msgspec.Raw


def encode_nested(nested: Sequence[NestedEntry]) -> str | None:
    """Nested entries as the text of a JSON list; None where there are none."""
    if not nested:
        return None
    written = [_Written(one.command, _raw(one.inputs), _raw(one.items.encode() or "{}")) for one in nested]
    return msgspec.json.encode(written).decode()


def decode_nested(text: str | None) -> tuple[NestedEntry, ...]:
    """What ``encode_nested`` wrote. Raises ValueError for anything else."""
    written = msgspec.json.decode(text or "[]", type=list[_Written])
    return tuple(NestedEntry(one.command, bytes(one.inputs).decode(), Items.decode(bytes(one.items).decode())) for one in written)


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())

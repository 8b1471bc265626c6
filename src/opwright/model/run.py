"""A run: many new operations that are made of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from msgspec.structs import replace

from opwright.model.operation import NewOperation


class Run(Sequence[NewOperation]):
    """New operations that differ in nothing but their inputs, and their ids, which follow each other. All are ready at once.

    ``inputs``: JSON texts. An object for each would cost as much as checking and encoding all of them, so one is made only for
    who asks.
    """

    def __init__(self, first: NewOperation, inputs: Sequence[str]) -> None:
        self.first = first
        self.inputs = inputs

    @property
    def ids(self) -> range:
        """Of all of them, in order."""
        return range(self.first.id, self.first.id + len(self.inputs))

    def lines(self) -> str | None:
        """The inputs as lines of one text; None if one of them has line breaks of its own, which msgspec never writes."""
        text = "\n".join(self.inputs)
        return text if text.count("\n") == len(self.inputs) - 1 else None

    def __len__(self) -> int:
        return len(self.inputs)

    @overload
    def __getitem__(self, place: int) -> NewOperation: ...
    @overload
    def __getitem__(self, place: slice) -> list[NewOperation]: ...
    def __getitem__(self, place: int | slice) -> NewOperation | list[NewOperation]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        return replace(self.first, id=self.ids[place], inputs=self.inputs[place])


def ids_of(operations: Sequence[NewOperation]) -> Sequence[int]:
    """The ids of new operations, without making any of a run."""
    return operations.ids if isinstance(operations, Run) else [operation.id for operation in operations]

"""The hosts of the process that submits, as the store sees them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

from opwright.model.operation import NewOperation
from opwright.store.engine import Engine


class Offer(AbstractContextManager[Any], Protocol):
    """A free slot of a host, kept for an operation while it is being submitted: a block around the statement.

    ``taken``: set when the submit has claimed the operation for this ``host`` under this ``token``. The host learns at the end of
    the block what became of it.
    """

    host: int
    token: int
    taken: bool


class Here(Protocol):
    """What a submit may ask of the hosts of its own process."""

    def wake(self) -> None:
        """There is something to look at."""

    def offer(self, engine: Engine, operation: NewOperation) -> Offer | None:
        """A free slot for this operation, of a host that works on this engine and has nothing else to begin."""

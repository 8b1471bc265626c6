"""What one outermost command gathers while it runs: its id, its scope, the commands nested in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opwright.commands.to_the_end import Ending
from opwright.model.ids import new_id
from opwright.model.log_entry import NestedEntry

if TYPE_CHECKING:
    from opwright.commands.scope import OperationScope, ScopeProvider
    from opwright.workers.current import Current


class OperationRecord:
    """The operation behind an outermost command and all that are nested in it.

    ``providers``: who can open a scope, the innermost last. ``scope``: what one of them has opened. ``undone``: the scopes of
    attempts before.
    ``given_up``: an attempt was, after its COMMIT was not answered, and its tombstone stands in the log.
    ``apart``: names of the isolated commands called from within that have not ended.
    ``submitted``: the attempt of the submitted operation that calls the command, whose end is written in a durable scope.
    """

    def __init__(self) -> None:
        self.providers: list[ScopeProvider] = []
        self.scope: OperationScope | None = None
        self.undone: list[OperationScope] = []
        self.nested: list[NestedEntry] = []
        self.apart: list[str] = []
        self.given_up = False
        self.submitted: Current | None = None
        self.ending = Ending()
        self._id: int | None = None

    def scopes(self) -> list[OperationScope]:
        """Of all attempts, in their order."""
        return self.undone if self.scope is None else [*self.undone, self.scope]

    def set_back(self) -> None:
        """Let a further attempt have a scope of its own. What is committed stays: it is completed, and takes nothing more."""
        if self.scope is not None and not self.scope.is_committed:
            self.undone.append(self.scope)
            self.scope = None

    @property
    def id(self) -> int:
        """The same over all attempts, so that a commit whose answer was lost is found again."""
        if self._id is None:
            self._id = new_id()
        return self._id

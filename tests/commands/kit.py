"""Commands, and a durable scope whose database is a list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec

from opwright import BroadcastCommand, CommandContext, Completion, LogEntry, OperationScope, Opwright
from opwright.commands.priorities import DB_SCOPE
from opwright.commands.scope import ScopeProvider


class Shop:
    """An interface that some commands have."""


@dataclass(frozen=True)
class PlaceOrder(Shop):
    customer: int
    amount: float = 1.0


@dataclass(frozen=True)
class PlaceRushOrder(PlaceOrder):
    hours: int = 1


class SetMany(msgspec.Struct, frozen=True):
    keys: list[str]
    value: int


class Divide(msgspec.Struct, frozen=True):
    dividend: int
    divisor: int


class Sum(msgspec.Struct, frozen=True):
    numbers: list[int]


@dataclass(frozen=True)
class Parcel(BroadcastCommand):
    number: int


class Note(msgspec.Struct, frozen=True):
    """An item."""

    text: str


@dataclass
class Journal:
    """What durable scopes left. ``opened``: how many; ``refuse``: what the next commits raise."""

    committed: list[LogEntry] = field(default_factory=list)
    rolled_back: list[int] = field(default_factory=list)
    opened: int = 0
    refuse: list[Exception] = field(default_factory=list)


class ListScope(OperationScope):
    is_transient = False

    def __init__(self, provider: ListScopeProvider, context: CommandContext) -> None:
        super().__init__(provider, context)
        self.journal = provider.journal

    async def commit(self) -> None:
        if self.journal.refuse:
            raise self.journal.refuse.pop(0)
        self.entry = self.make_entry()
        self.journal.committed.append(self.entry)
        self.is_committed = True

    async def roll_back(self) -> None:
        if self.is_committed is None:
            self.is_committed = False
            self.journal.rolled_back.append(self.id)


class ListScopeProvider(ScopeProvider):
    """Stands where the provider of database scopes stands."""

    priority: ClassVar[float] = DB_SCOPE
    durable: ClassVar[bool] = True

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def open(self, context: CommandContext) -> OperationScope | None:
        if context.handler is None or not context.handler.durable:
            return None
        self.journal.opened += 1
        return ListScope(self, context)


async def passed(command: Any, context: CommandContext, call_next: Any) -> Any:
    """A filter that does nothing."""
    return await call_next()


def completions(ops: Opwright) -> list[Completion]:
    """Every completion from now on."""
    found: list[Completion] = []

    async def keep(completion: Completion) -> None:
        found.append(completion)

    ops.commander.notifier.listen(keep)
    return found

"""Between the completions of a process and the log that it shares: others are told of its own, and it is told of theirs."""

from __future__ import annotations

import msgspec

from opwright import DbOperationCompletionNotifier, OperationScope, Opwright
from opwright.model.log_entry import LogEntry
from tests.commands.kit import Divide, Journal, ListScopeProvider, PlaceOrder


class Told:
    """How often other processes were told, and what was invalidated here by then."""

    def __init__(self, ops: Opwright, journal: Journal) -> None:
        ops.commander.provide(ListScopeProvider(journal))
        self.invalidated: list[int] = []
        self.told: list[list[int]] = []
        self.notifier = DbOperationCompletionNotifier(ops.commander.notifier, self.changed)

        @ops.command
        async def place(order: PlaceOrder, scope: OperationScope) -> None: ...

        @place.invalidates
        def concerned(order: PlaceOrder) -> None:
            self.invalidated.append(order.customer)

        @ops.command(durable=False)
        async def divide(command: Divide, scope: OperationScope) -> None: ...

    async def changed(self) -> None:
        self.told.append(self.invalidated.copy())


async def test_others_are_told_of_what_was_committed_in_the_database(ops: Opwright, journal: Journal) -> None:
    """After it was invalidated here."""
    told = Told(ops, journal)
    await ops.call(PlaceOrder(1))
    assert told.told == [[1]]


async def test_nobody_is_told_of_what_only_this_process_knows(ops: Opwright, journal: Journal) -> None:
    told = Told(ops, journal)
    await ops.call(Divide(1, 1))
    assert told.told == []


async def test_a_replayed_entry_invalidates_here_and_is_told_to_nobody(ops: Opwright, journal: Journal) -> None:
    """Whoever wrote it has told everybody. A second time it is not new."""
    told = Told(ops, journal)
    await ops.call(PlaceOrder(1))
    entry: LogEntry = msgspec.structs.replace(journal.committed[0], id=5, origin=6, inputs='{"customer":2,"amount":1.0}')
    assert [await told.notifier.replay(entry), await told.notifier.replay(entry)] == [True, False]
    assert (told.invalidated, told.told) == ([1, 2], [[1]])

"""A command of which nobody knows whether it was committed."""

from __future__ import annotations

import pytest

from opwright import OperationScope, Opwright
from opwright.errors import StoreUncertain
from tests.commands.kit import Journal, ListScope, ListScopeProvider, PlaceOrder


async def test_an_operation_in_doubt_is_not_taken_for_known_when_the_log_tells_of_it(ops: Opwright, journal: Journal) -> None:
    """Its command has failed, and nothing was invalidated: if it is in the log all the same, it must be."""
    ops.commander.provide(ListScopeProvider(journal))
    journal.refuse = [StoreUncertain("no answer")]
    scopes: list[ListScope] = []

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> None:
        assert isinstance(scope, ListScope)
        scopes.append(scope)
        scope.in_doubt = True

    with pytest.raises(StoreUncertain):
        await ops.call(PlaceOrder(1))
    entry = scopes[0].make_entry()
    assert not ops.commander.notifier.is_known(entry)
    assert await ops.commander.notifier.notify(entry)
    assert ops.commander.notifier.is_known(entry)

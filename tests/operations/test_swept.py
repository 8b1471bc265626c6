"""What is asked about an operation whose record was swept."""

import time

import pytest

from opwright import OperationNotFound, Opwright
from opwright.clock import SECOND
from opwright.model.ids import id_at, new_id
from tests.contract.kit import operation


def hours_ago(hours: float) -> int:
    """An id that was made then."""
    return id_at(round((time.time() - hours * 3600) * SECOND))


async def test_whoever_waits_for_a_result_that_is_gone_is_told(ops: Opwright) -> None:
    """Though it could wait for ever: what is not recorded after three hours never will be."""
    handle = ops.handle(hours_ago(30))
    for question in (handle.result, handle.get, handle.status, handle.retry):
        with pytest.raises(OperationNotFound, match=f"there is no operation {handle.id}: .* its record was swept"):
            await question()
    assert not await handle.cancel()
    assert not await handle.resume()
    assert await handle.children() == []
    with pytest.raises(OperationNotFound):
        await anext(handle.follow())


async def test_what_may_yet_be_committed_is_waited_for(ops: Opwright) -> None:
    """And so is what is old and has not ended."""
    old = operation(identifier=hours_ago(30))
    await (await ops.client.store()).operations.submit([old])
    for identifier in (new_id(), old.id):
        with pytest.raises(TimeoutError):
            await ops.handle(identifier).result(timeout=0.05)

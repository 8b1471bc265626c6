"""What an operator does leaves its line in the log, in the transaction of its effect, on both engines."""

import pytest

from opwright.errors import InvalidOperation
from opwright.model.claim import NoteKind
from opwright.model.status import Status
from opwright.store.acts import Acts
from opwright.store.store import Store
from tests.contract.kit import FAILURE, join, submit

BY = "ann@desk"


async def told(store: Store, operation: int) -> list[str]:
    """What operators did to an operation."""
    return [note.text for note in await store.operations.notes(operation) if note.kind == NoteKind.OPERATOR]


async def test_a_cancel_says_whose_it_was(store: Store) -> None:
    """Of what nobody has begun; of what runs, where its host is asked; and nothing of what had ended."""
    acts, host = Acts(store.engine, BY), await join(store)
    (running,) = await submit(store)
    claim = await host.take()
    (waiting,) = await submit(store)
    assert [await acts.cancel(one) for one in (waiting, running)] == ["cancelled", "asked"]
    await host.end(claim, FAILURE)
    assert [await acts.cancel(one) for one in (waiting, running, 4711)] == ["nothing"] * 3
    assert await told(store, waiting) == ["cancelled by ann@desk"]
    assert await told(store, running) == ["asked to cancel by ann@desk"]
    assert (await store.operations.get(waiting)).error == "cancelled by ann@desk"


async def test_a_retry_says_so_on_both_sides(store: Store) -> None:
    """The old operation names the new one, and the new one the old. A retry that is refused leaves no line."""
    acts, host = Acts(store.engine, BY), await join(store)
    (old,) = await submit(store)
    with pytest.raises(InvalidOperation):
        await acts.retry(old)
    assert await told(store, old) == []
    await host.end(await host.take(), FAILURE)
    new = await acts.retry(old)
    assert await told(store, old) == [f"retried as operation {new} by ann@desk"]
    assert await told(store, new) == [f"submitted to retry operation {old} by ann@desk"]
    found = await store.operations.get(new)
    assert (found.status, found.retry_of) == (Status.PENDING, old)


async def test_a_resume_says_whose_it_was(store: Store) -> None:
    acts = Acts(store.engine, BY)
    (one,) = await submit(store)
    assert await acts.resume(one, '"yes"')
    assert await told(store, one) == ["resumed by ann@desk"]
    await acts.cancel(one)
    assert not await acts.resume(one, '"yes"')
    assert await told(store, one) == ["resumed by ann@desk", "cancelled by ann@desk"]

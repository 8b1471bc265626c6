"""A COMMIT whose answer is lost: the tombstone tells what became of it, and each effect happens once."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from opwright import OperationScope, Opwright, StoreUnavailable, StoreUncertain
from opwright.store import own, surely
from opwright.store.lent import LentConnection
from opwright.store.log import Log
from tests.commands.durable.kit import AddUser, Other, adding, entries, tombstones, users
from tests.commands.kit import completions
from tests.contract.kit import query
from tests.kit.wire import Wire, wire_to

reaches_it = pytest.mark.parametrize("reaches", [True, False], ids=["committed", "never arrived"])
retried = pytest.mark.parametrize("retries", [0, 3])
sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest_asyncio.fixture
async def wire(postgres_database: str) -> AsyncIterator[Wire]:
    async with wire_to(postgres_database) as wire:
        yield wire


@pytest_asyncio.fixture
async def far(wire: Wire, postgres_database: str) -> AsyncIterator[Opwright]:
    """An application that reaches its database through the wire."""
    application = Opwright(wire.url(postgres_database))
    async with application:
        await query(await application.client.store(), "create table users (name text not null)")
        yield application


async def test_a_commit_that_lands_but_raises_is_a_success_with_one_effect(far: Opwright, wire: Wire) -> None:
    adding(far)
    seen = completions(far)
    wire.lose_answer(b"COMMIT;")
    assert await far.call(AddUser("ann")) == "ann"
    assert wire.lost.is_set()
    (entry,) = await entries(far)
    assert await users(far) == ["ann"]
    assert [completion.entry for completion in seen] == [entry]
    assert await tombstones(far) == 0


async def test_a_commit_that_never_arrives_is_made_again_under_the_same_id(far: Opwright, wire: Wire) -> None:
    """The tombstone makes way for the entry."""
    ids: list[int] = []

    @far.command
    async def add_user(command: AddUser, scope: OperationScope) -> None:
        ids.append(scope.id)
        await (await scope.connection()).execute("insert into users values ($1)", command.name)

    wire.lose_answer(b"COMMIT;", reaches=False)
    await far.call(AddUser("ann"))
    assert wire.lost.is_set()
    assert await users(far) == ["ann"]
    assert (len(ids), [entry.id for entry in await entries(far)]) == (2, [ids[0]])
    assert (ids[0], await tombstones(far)) == (ids[1], 0)


async def test_without_retries_a_commit_that_never_arrives_fails_and_leaves_nothing(far: Opwright, wire: Wire) -> None:
    adding(far, retries=0)
    wire.lose_answer(b"COMMIT;", reaches=False)
    with pytest.raises(StoreUnavailable, match="add_user: the connection broke at the COMMIT; nothing was committed"):
        await far.call(AddUser("ann"))
    assert (await users(far), await entries(far), await tombstones(far)) == ([], [], 1)


@retried
@reaches_it
async def test_the_entry_of_a_scope_without_a_transaction_is_written_once(
    far: Opwright, wire: Wire, *, reaches: bool, retries: int
) -> None:
    runs: list[int] = []

    @far.command(retries=retries)
    async def other(command: Other, scope: OperationScope) -> None:
        runs.append(scope.id)

    wire.lose_answer(b"COMMIT;", reaches=reaches)
    succeeds = reaches or retries > 0
    assert ((await far.run(Other())).error is None) == succeeds
    assert wire.lost.is_set()
    assert (len(await entries(far)), len(runs)) == (int(succeeds), 1 if reaches or not retries else 2)


async def test_what_stays_in_doubt_is_not_run_again(far: Opwright, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database does not say for long enough: the caller is told that nobody knows."""
    monkeypatch.setattr(surely, "SECONDS", 0.3)

    async def silent(log: Log, operation: int) -> bool:
        raise StoreUnavailable("away")

    monkeypatch.setattr(Log, "committed", silent)
    adding(far)
    wire.lose_answer(b"COMMIT;")
    with pytest.raises(StoreUncertain, match="so it may be stored or not"):
        await far.call(AddUser("ann"))
    assert await users(far) == ["ann"]  # once


class Lossy(LentConnection):
    """A file whose COMMIT raises once, after it was done or before."""

    lands = True
    armed = False

    def commit(self) -> None:
        if Lossy.armed:
            Lossy.armed = False
            if self.lands:
                super().commit()
            raise sqlite3.OperationalError("disk I/O error")
        super().commit()


@sqlite
@reaches_it
async def test_the_same_holds_for_a_file(ops: Opwright, monkeypatch: pytest.MonkeyPatch, *, reaches: bool) -> None:
    adding(ops)
    monkeypatch.setattr(Lossy, "lands", reaches)
    monkeypatch.setattr(Lossy, "armed", True)
    monkeypatch.setattr(own, "LentConnection", Lossy)
    assert await ops.call(AddUser("ann")) == "ann"
    assert not Lossy.armed
    monkeypatch.undo()
    assert (await users(ops), len(await entries(ops)), await tombstones(ops)) == (["ann"], 1, 0)

"""A trigger's own transaction: its writes, its submits and its success commit together, or not at all."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from opwright import Host, InvalidOperation, OperationFailed, Opwright, StaleClaim, Status, operation
from opwright.model.claim import NoteKind
from opwright.operations.handle import Handle
from opwright.scheduler import settler
from tests.contract.kit import query
from tests.operations.kit import eventually

ENOUGH = 10.0  # seconds
ONCE_MORE = "this operation has ended with an earlier one; a trigger writes its end once"
postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest_asyncio.fixture(autouse=True)
async def table(ops: Opwright) -> None:
    """A table of the application; what is written twice shows twice."""
    await query(await ops.client.store(), "create table charges (number integer)")


@pytest_asyncio.fixture
async def caller(database_url: str) -> AsyncIterator[Any]:
    """A connection of the application, in a transaction."""
    raw = await asyncpg.connect(database_url)
    await raw.execute("begin")
    yield raw
    await raw.close()


def host(ops: Opwright, slots: int = 10) -> Host:
    """A host in this process, so that triggers and test share their variables."""
    return ops.host(pool="inline", slots=slots)


async def charge(connection: Any, number: int = 1) -> None:
    """Write a row on a driver's connection, whichever it is."""
    if isinstance(connection, asyncpg.Connection | asyncpg.pool.PoolConnectionProxy):
        await connection.execute(f"insert into charges values ({number})")
    else:
        charge_now(connection, number)


def charge_now(connection: Any, number: int = 1) -> None:
    connection.execute(f"insert into charges values ({number})")


async def charges(ops: Opwright) -> int:
    """How many rows were committed."""
    ((count,),) = await query(await ops.client.store(), "select count(*) from charges")
    return int(count)


# ---------------------------------------------------------------------------------------------- together, or not at all


async def test_the_row_the_submit_and_the_success_commit_together(ops: Opwright) -> None:
    """The result is what the block was told, not what the function returns afterwards."""

    @ops.operation
    async def send() -> None: ...

    @ops.operation
    async def pay() -> int:
        async with operation.transaction() as own:
            await charge(own.connection)
            await send.submit()
            own.returns(7)
        return 8

    async with host(ops):
        paid = await pay.submit()
        assert await paid.result(ENOUGH) == 7
        (sent,) = await paid.children()
        await sent.result(ENOUGH)
    assert await charges(ops) == 1


@pytest.mark.fault("F71")
async def test_an_error_in_the_block_leaves_neither_row_nor_submit_nor_success(ops: Opwright) -> None:
    @ops.operation
    async def send() -> None: ...

    @ops.operation
    async def pay() -> None:
        async with operation.transaction() as own:
            await charge(own.connection)
            await send.submit()
            raise ValueError("the card is refused")

    async with host(ops):
        paid = await pay.submit()
        with pytest.raises(OperationFailed, match="the card is refused"):
            await paid.result(ENOUGH)
    assert (await charges(ops), await paid.children()) == (0, [])


@postgresql
async def test_a_block_finds_nothing_of_what_an_earlier_one_has_set(ops: Opwright) -> None:
    """Their connection is the same one; settings and locks of the session are not handed on."""

    @ops.operation
    async def leave_behind() -> int:
        async with operation.transaction() as own:
            await own.connection.execute("set search_path = elsewhere; select pg_advisory_lock(7)")
            own.returns(own.connection.get_server_pid())
        return 0

    @ops.operation
    async def look() -> list[str]:
        async with operation.transaction() as own:
            path = await own.connection.fetchval("show search_path")
            locks = await own.connection.fetchval("select count(*) from pg_locks where locktype = 'advisory' and objid = 7")
            own.returns([str(own.connection.get_server_pid()), path, str(locks)])
        return []

    async with host(ops):
        pid = await (await leave_behind.submit()).result(ENOUGH)
        assert await (await look.submit()).result(ENOUGH) == [str(pid), '"$user", public', "0"]


@postgresql
@pytest.mark.parametrize("plain", [False, True], ids=["async with", "with"])
async def test_the_error_of_a_block_is_told_though_its_connection_is_gone(ops: Opwright, *, plain: bool) -> None:
    """That nothing could be rolled back any more explains nothing: the server has done it."""
    suicide = "select pg_terminate_backend(pg_backend_pid())"

    @ops.operation
    async def pay() -> None:
        async with operation.transaction() as own:
            await charge(own.connection)
            with suppress(Exception):
                await own.connection.execute(suicide)
            raise ValueError("the card is refused")

    @ops.operation
    def pay_now() -> None:
        with operation.transaction() as own:
            charge_now(own.connection)
            with suppress(Exception):
                own.connection.execute(suicide)
            raise ValueError("the card is refused")

    async with host(ops):
        with pytest.raises(OperationFailed, match=r"failed: ValueError: the card is refused"):
            await (await (pay_now if plain else pay).submit()).result(ENOUGH)
    assert await charges(ops) == 0


async def test_a_plain_block_of_synchronous_code_does_the_same(ops: Opwright) -> None:
    """On SQLite with its own driver, on PostgreSQL with psycopg."""

    @ops.operation
    def pay(number: int) -> int:
        with operation.transaction() as own:
            charge_now(own.connection, number)
            if number < 0:
                raise ValueError("the card is refused")
            own.returns(2 * number)
        return 0

    async with host(ops):
        assert await (await pay.submit(3)).result(ENOUGH) == 6
        with pytest.raises(OperationFailed, match="the card is refused"):
            await (await pay.submit(-3)).result(ENOUGH)
    assert await charges(ops) == 1


async def test_who_has_lost_the_operation_writes_nothing(ops: Opwright) -> None:
    """Its claim was taken over before the end of the block: StaleClaim, and its row and its submit are undone."""
    caught: list[StaleClaim] = []

    @ops.operation
    async def send() -> None: ...

    @ops.operation
    async def pay() -> None:
        await query(await ops.client.store(), "update opwright.claimed set token = token + 1")
        try:
            async with operation.transaction() as own:
                await charge(own.connection)
                await send.submit()
        except StaleClaim as error:
            caught.append(error)

    async with host(ops):
        paid = await pay.submit()

        async def refused() -> bool:
            return bool(caught)

        await eventually(refused, "the block has ended")
        assert (await charges(ops), await paid.children()) == (0, [])
        assert await paid.status() is Status.PROCESSING, "whoever has it now decides"


@sqlite
async def test_thirty_blocks_at_once_on_sqlite_all_commit(ops: Opwright) -> None:
    """Only one can write at a time; the others stand in line, and no thread that is to commit waits behind them."""

    @ops.operation
    async def pay(number: int) -> None:
        async with operation.transaction() as own:
            await asyncio.sleep(0)
            await charge(own.connection, number)

    handles = await pay.submit_many([(number,) for number in range(30)])
    async with host(ops, slots=30):
        await asyncio.gather(*(handle.result(30) for handle in handles))
    assert await charges(ops) == 30


# ---------------------------------------------------------------------------------------------- one end, written once


async def test_a_second_block_after_the_end_is_refused_and_the_end_stands(ops: Opwright) -> None:
    refused: list[str] = []

    @ops.operation
    async def pay() -> None:
        async with operation.transaction() as own:
            own.returns(None)
        try:
            async with operation.transaction() as own:
                await charge(own.connection)
        except InvalidOperation as error:
            refused.append(str(error))

    async with host(ops):
        await (await pay.submit()).result(ENOUGH)
    assert refused == [f"transaction: {ONCE_MORE}"]
    assert await charges(ops) == 0


async def test_a_block_in_a_block_is_refused(ops: Opwright) -> None:
    """Both are undone, for the error passes through the outer one."""

    @ops.operation
    async def pay() -> None:
        async with operation.transaction() as own:
            await charge(own.connection)
            async with operation.transaction():
                pass

    async with host(ops):
        with pytest.raises(OperationFailed, match="there is one around this already; write in that one"):
            await (await pay.submit()).result(ENOUGH)
    assert await charges(ops) == 0


async def test_what_is_raised_after_the_end_is_logged_and_changes_nothing(
    ops: Opwright, caplog: pytest.LogCaptureFixture
) -> None:
    """The operation has SUCCEEDED; somebody must be told all the same."""

    @ops.operation
    async def pay() -> str:
        async with operation.transaction() as own:
            own.returns("paid")
        raise RuntimeError("the mail was not sent")

    with caplog.at_level(logging.WARNING, logger="opwright"):
        async with host(ops):
            paid = await pay.submit()
            assert await paid.result(ENOUGH) == "paid"
    assert f"operation {paid.id} (pay), after its end was written" in caplog.text
    assert "the mail was not sent" in caplog.text
    assert await paid.status() is Status.SUCCEEDED


async def test_no_line_that_was_logged_before_the_end_is_lost(ops: Opwright) -> None:
    """The end is committed by the trigger itself, before the host has written what it said."""

    @ops.operation
    async def pay() -> None:
        operation.log("before the block")
        async with operation.transaction():
            operation.log("in the block")

    lines = f"select count(*) from opwright.operationstatus where kind = {int(NoteKind.LOG)}"
    async with host(ops):
        for handle in await pay.submit_many([()] * 20):
            await handle.result(ENOUGH)
    assert await query(await ops.client.store(), lines) == [(40,)]


# ---------------------------------------------------------------------------------------------- who joins, and who does not


async def test_a_task_that_outlives_the_block_submits_on_its_own(ops: Opwright) -> None:
    """The block's connection may serve somebody else by then, who rolls back."""
    go, tasks = asyncio.Event(), list[asyncio.Task[Handle[None]]]()

    @ops.operation
    async def later() -> None: ...

    async def submits_later() -> Handle[None]:
        await go.wait()
        return await later.submit()

    @ops.operation
    async def pay() -> None:
        async with operation.transaction():
            tasks.append(asyncio.create_task(submits_later()))

    async with host(ops):
        await (await pay.submit()).result(ENOUGH)
        go.set()
        await (await tasks[0]).result(ENOUGH)


@postgresql
async def test_a_task_that_outlives_the_block_joins_nobody_elses(ops: Opwright) -> None:
    """It submits while another operation has a block open, which is rolled back: the submit stands."""
    go, tasks = asyncio.Event(), list[asyncio.Task[Handle[None]]]()

    @ops.operation
    async def later() -> None: ...

    async def submits_later() -> Handle[None]:
        await go.wait()
        return await later.submit()

    @ops.operation
    async def pay() -> None:
        async with operation.transaction():
            tasks.append(asyncio.create_task(submits_later()))

    @ops.operation
    async def refuse() -> None:
        async with operation.transaction():
            go.set()
            await tasks[0]
            raise ValueError("rolled back")

    async with host(ops):
        await (await pay.submit()).result(ENOUGH)
        with pytest.raises(OperationFailed, match="rolled back"):
            await (await refuse.submit()).result(ENOUGH)
        await (await tasks[0]).result(ENOUGH)


async def test_another_applications_submits_do_not_join(ops: Opwright, tmp_path: Path) -> None:
    """It has another database: what is submitted to it stands, though the block is rolled back, and knows no parent."""
    other = Opwright(f"sqlite:///{tmp_path / 'other.db'}")
    told: list[Handle[None]] = []

    @other.operation
    async def tell() -> None: ...

    @ops.operation
    async def pay() -> None:
        async with operation.transaction():
            told.append(await tell.submit())
            raise ValueError("the card is refused")

    async with other, host(ops):
        paid = await pay.submit()
        with pytest.raises(OperationFailed, match="the card is refused"):
            await paid.result(ENOUGH)
        assert await paid.children() == []
        (one,) = told
        found = await one.get()
        assert (found.status, found.parent) == (Status.PENDING, None)


# ---------------------------------------------------------------------------------------------- a transaction of the caller's


@postgresql
async def test_a_callers_transaction_decides_when_it_commits(ops: Opwright, caller: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Left open by the trigger it delays nobody else's end; committed, the operation has SUCCEEDED, once."""
    monkeypatch.setattr(settler, "LOOK_AGAIN", 0.02)
    written = asyncio.Event()

    @ops.operation
    async def pay() -> None:
        async with operation.transaction(on=caller) as own:
            await charge(own.connection)
        written.set()

    @ops.operation
    async def plain() -> int:
        return 1

    async with host(ops):
        paid = await pay.submit()
        await written.wait()
        for _ in range(3):
            assert await (await plain.submit()).result(ENOUGH) == 1
        assert await paid.status() is Status.PROCESSING
        await caller.execute("commit")
        await paid.result(ENOUGH)
    found = await paid.get()
    assert (found.status, found.attempt, await charges(ops)) == (Status.SUCCEEDED, 1, 1)


@postgresql
async def test_a_callers_transaction_that_is_rolled_back_is_an_error_of_the_operation(
    ops: Opwright, caller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows until it is over; then it says that the end was not committed."""
    monkeypatch.setattr(settler, "LOOK_AGAIN", 0.02)
    written = asyncio.Event()

    @ops.operation
    async def pay() -> None:
        async with operation.transaction(on=caller) as own:
            await charge(own.connection)
        written.set()

    @ops.operation
    async def plain() -> None: ...

    async with host(ops):
        paid = await pay.submit()
        await written.wait()
        await (await plain.submit()).result(ENOUGH)
        assert await paid.status() is Status.PROCESSING
        await caller.execute("rollback")
        with pytest.raises(OperationFailed, match="the transaction that held its end was not committed"):
            await paid.result(ENOUGH)
    assert await charges(ops) == 0

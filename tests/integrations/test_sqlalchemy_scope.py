"""The effects of a durable command written through a session: one transaction with its log entry and what it submits."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
import pytest_asyncio
from sqlalchemy import event, make_url, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from opwright import InvalidOperation, OperationScope, Opwright
from opwright.integrations.sqlalchemy import session_of
from tests.commands.durable.kit import AddMany, AddUser, Other, entries, tombstones
from tests.integrations.album import ASYNC, address, models
from tests.kit.wire import wire_to
from tests.operations.kit import rows

Sessions = async_sessionmaker[AsyncSession]
postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def album() -> SimpleNamespace:
    return models()


@pytest_asyncio.fixture
async def ops(database_url: str) -> AsyncIterator[Opwright]:
    async with Opwright(database_url) as ops:
        yield ops


@pytest_asyncio.fixture
async def sessions(database_url: str, album: SimpleNamespace) -> AsyncIterator[Sessions]:
    engine = create_async_engine(address(database_url, ASYNC), pool_size=1, max_overflow=0)
    async with engine.begin() as connection:
        await connection.run_sync(album.Base.metadata.create_all)
    yield async_sessionmaker(engine)
    await engine.dispose()


async def titles(sessions: Sessions) -> list[str]:
    async with sessions() as session:
        return list(await session.scalars(text("select title from photos order by title")))


def adding(ops: Opwright, sessions: Sessions, album: SimpleNamespace) -> None:
    @ops.command
    async def add(command: AddUser, scope: OperationScope) -> None:
        session = await session_of(scope, sessions)
        session.add(album.Photo(title=command.name))
        if command.name == "bad":
            raise ZeroDivisionError


async def test_the_session_the_entry_and_the_submit_commit_together(
    ops: Opwright, sessions: Sessions, album: SimpleNamespace
) -> None:
    adding(ops, sessions, album)

    @ops.operation
    async def render() -> None: ...

    @ops.command
    async def add_many(command: AddMany, scope: OperationScope) -> int:
        session = await session_of(scope, sessions)
        for name in command.names:
            await ops.call(AddUser(name))
        await render.submit()
        return len((await session.scalars(select(album.Photo))).all())

    assert await ops.call(AddMany(["cat", "dog"])) == 2
    assert await titles(sessions) == ["cat", "dog"]
    assert [entry.command for entry in await entries(ops)] == ["add_many"]
    assert (await rows(ops))["operations"] == 1


async def test_a_command_that_fails_leaves_nothing_of_its_session(
    ops: Opwright, sessions: Sessions, album: SimpleNamespace
) -> None:
    adding(ops, sessions, album)
    with pytest.raises(ZeroDivisionError):
        await ops.call(AddUser("bad"))
    await ops.call(AddUser("good"))
    assert (await titles(sessions), len(await entries(ops))) == (["good"], 1)


async def test_what_the_session_cannot_write_fails_the_command(ops: Opwright, sessions: Sessions, album: SimpleNamespace) -> None:
    """It is flushed with the commit."""
    adding(ops, sessions, album)
    await ops.call(AddUser("cat"))
    with pytest.raises(IntegrityError):
        await ops.call(AddUser("cat"))
    assert (await titles(sessions), len(await entries(ops)), await tombstones(ops)) == (["cat"], 1, 0)


async def test_a_cancelled_command_gives_its_connection_back_to_nobody(ops: Opwright, sessions: Sessions) -> None:
    """The pool has one connection, and makes another."""
    begun = asyncio.Event()

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        session = await session_of(scope, sessions)
        await session.execute(text("insert into photos (title, kind) values ('cat', 'photo')"))
        begun.set()
        await asyncio.Event().wait()

    call = asyncio.create_task(ops.call(Other()))
    await begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await titles(sessions), await entries(ops)) == ([], [])


async def test_a_scope_has_one_transaction(ops: Opwright, sessions: Sessions) -> None:
    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        await session_of(scope, sessions)
        await scope.connection()

    with pytest.raises(InvalidOperation, match="has a transaction on another connection"):
        await ops.call(Other())


async def test_a_transient_scope_has_no_session(ops: Opwright, sessions: Sessions) -> None:
    @ops.command(durable=False)
    async def other(command: Other, scope: OperationScope) -> None:
        await session_of(scope, sessions)

    with pytest.raises(InvalidOperation, match="is transient: it has no session"):
        await ops.call(Other())


@postgresql
@pytest.mark.parametrize("reaches", [True, False], ids=["committed", "never arrived"])
async def test_a_lost_commit_of_a_session_happens_once(
    ops: Opwright, sessions: Sessions, database_url: str, album: SimpleNamespace, *, reaches: bool
) -> None:
    async with wire_to(database_url) as wire:
        engine = create_async_engine(address(wire.url(database_url), ASYNC))
        adding(ops, async_sessionmaker(engine), album)
        wire.lose_answer(b"COMMIT;", reaches=reaches)
        await ops.call(AddUser("cat"))
        assert wire.lost.is_set()
        await engine.dispose()
    assert (await titles(sessions), len(await entries(ops)), await tombstones(ops)) == (["cat"], 1, 0)


@pytest.mark.parametrize(
    ("database_url", "driver"),
    [("sqlite", "sqlite+aiosqlite"), ("postgresql", "postgresql+asyncpg"), ("postgresql", "postgresql+psycopg")],
    indirect=["database_url"],
)
async def test_a_commit_that_is_refused_fails_with_what_it_was_refused_for(ops: Opwright, database_url: str, driver: str) -> None:
    """It is not taken for one whose answer was lost: nobody is asked, nothing is buried, nothing is run again."""
    engine = create_async_engine(make_url(database_url).set(drivername=driver))
    if driver.startswith("sqlite"):
        event.listen(engine.sync_engine, "connect", lambda raw, _: raw.execute("pragma foreign_keys = on"))
    runs: list[int] = []

    @ops.command
    async def other(command: Other, scope: OperationScope) -> None:
        runs.append(1)
        session = await session_of(scope, async_sessionmaker(engine))
        await session.execute(text("create table parents (id integer primary key)"))
        await session.execute(text("create table children (parent integer references parents deferrable initially deferred)"))
        await session.execute(text("insert into children values (7)"))

    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        await ops.call(Other())
    await engine.dispose()
    assert (len(runs), await entries(ops), await tombstones(ops)) == (1, [], 0)

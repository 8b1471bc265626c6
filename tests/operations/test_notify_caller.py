"""Submits in the caller's transaction on PostgreSQL: who is told, when, and what is left alone."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from opwright import Opwright
from tests.operations.kit import rows

CHANNEL = "opwright_opwright"


async def double(number: int) -> int:
    return 2 * number


class Listener:
    """Hears what other processes would hear."""

    def __init__(self, raw: "asyncpg.Connection[asyncpg.Record]", speaker: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._raw = raw
        self._speaker = speaker
        self._heard = 0
        self._marks = asyncio.Semaphore(0)

    async def start(self) -> None:
        await self._raw.add_listener(CHANNEL, self._hear)
        await self._raw.add_listener("marker", lambda *_: self._marks.release())

    def _hear(self, *_: object) -> None:
        self._heard += 1

    async def heard(self, ops: Opwright | None = None) -> int:
        """How many notifications have come so far; what the application still has to send is sent first."""
        if ops is not None:
            await (await ops.client.store()).engine._notifier.close()  # type: ignore[attr-defined]
        await self._speaker.execute("notify marker")
        await asyncio.wait_for(self._marks.acquire(), 10)
        return self._heard


@pytest_asyncio.fixture
async def listener(postgres_database: str) -> AsyncIterator[Listener]:
    """Listens on a database with Opwright's tables."""
    async with Opwright(postgres_database):
        pass
    raw, speaker = await asyncpg.connect(postgres_database), await asyncpg.connect(postgres_database)
    made = Listener(raw, speaker)
    await made.start()
    yield made
    await raw.close()
    await speaker.close()


@pytest_asyncio.fixture
async def session(postgres_database: str) -> AsyncIterator[AsyncSession]:
    """A session of the application."""
    engine = create_async_engine(postgres_database.replace("postgresql://", "postgresql+asyncpg://"))
    async with AsyncSession(engine) as made:
        yield made
    await engine.dispose()


async def test_the_durability_of_the_caller_is_its_own(postgres_database: str, listener: Listener) -> None:
    """Submitted or skipped, before or after a write of its own: ``synchronous_commit`` stays as it was."""
    ops = Opwright(postgres_database)
    trigger = ops.operation(double)
    raw = await asyncpg.connect(postgres_database)
    async with ops:
        await trigger.options(key="k", delay=1000).submit(1)
        before = await listener.heard(ops)
        async with raw.transaction():
            await trigger.options(on=raw, key="k", on_conflict="skip").submit(1)
            assert await raw.fetchval("show synchronous_commit") == "on"
            await trigger.options(on=raw).submit(2)
            assert await raw.fetchval("show synchronous_commit") == "on"
            await raw.execute("set local synchronous_commit = remote_write")
            await trigger.options(on=raw).submit(3)
            assert await raw.fetchval("show synchronous_commit") == "remote_write"
        assert await listener.heard() == before + 1
    await raw.close()


async def test_the_release_of_a_savepoint_tells_nobody(postgres_database: str, session: AsyncSession, listener: Listener) -> None:
    """It commits nothing. The notification comes after the real commit, once for all, and our own hosts are woken then."""
    ops = Opwright(postgres_database)
    trigger = ops.operation(double)
    woken: list[str] = []
    end = ops.client.on_wake(lambda: woken.append("woken"))
    async with ops:
        async with session.begin_nested():
            await trigger.options(on=session).submit(1)
            async with session.begin_nested():
                await trigger.options(on=session).submit(2)
        assert await listener.heard(ops) == 0
        assert woken == []
        await trigger.options(on=session).submit(3)
        await session.commit()
        assert await listener.heard(ops) == 1
        assert woken == ["woken"]
        await session.begin()
        await session.commit()
        assert await listener.heard(ops) == 1
        async with session.begin_nested():
            await trigger.options(on=session).submit(4)
        await session.commit()
        assert await listener.heard(ops) == 2
        assert await rows(ops) == {"operations": 4, "ready": 4}
    end()


async def test_a_process_without_a_store_tells_by_the_statement(
    postgres_database: str, session: AsyncSession, listener: Listener
) -> None:
    """Nothing of ours is open in this loop, so the notification rides on the caller's transaction."""
    trigger = Opwright(postgres_database).operation(double)
    await trigger.options(on=session).submit(1)
    assert await listener.heard() == 0
    await session.commit()
    assert await listener.heard() == 1
    await trigger.options(on=session).submit(2)
    await session.rollback()
    await trigger.options(on=session, notify=False).submit(3)
    await session.commit()
    assert await listener.heard() == 1


async def test_many_in_a_callers_transaction_are_told_too(
    postgres_database: str, session: AsyncSession, listener: Listener
) -> None:
    """One notification, whoever sends it."""
    trigger = Opwright(postgres_database).operation(double)
    await trigger.options(on=session).submit_many([(1,), (2,)])
    await session.commit()
    assert await listener.heard() == 1

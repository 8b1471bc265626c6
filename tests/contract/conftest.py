"""Stores on one empty database, and a clock that the tests turn."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from opwright.clock import TurnedClock
from opwright.store.store import Store, engine_for
from tests.contract.kit import Member, OpenStore, join


@pytest.fixture
def contract_url(database_url: str) -> str:
    """The address that every contract test uses; the one place to put something between program and database."""
    return database_url


@pytest.fixture
def clock() -> TurnedClock:
    """The time of every statement."""
    return TurnedClock()


@pytest_asyncio.fixture
async def open_store(contract_url: str, clock: TurnedClock) -> AsyncIterator[OpenStore]:
    """Open one more store on the same database: what another process would see."""
    opened: list[Store] = []

    async def opening() -> Store:
        store = Store(engine_for(contract_url, clock))
        await store.open()
        opened.append(store)
        return store

    yield opening
    for store in reversed(opened):
        await store.close()


@pytest_asyncio.fixture
async def store(open_store: OpenStore) -> Store:
    """The store under test."""
    return await open_store()


@pytest_asyncio.fixture
async def other(open_store: OpenStore, store: Store) -> Store:
    """Another process on the same database."""
    return await open_store()


@pytest_asyncio.fixture
async def shared(postgres_database: str, clock: TurnedClock) -> AsyncIterator[Store]:
    """A store on PostgreSQL alone, where an open transaction keeps nobody else from writing."""
    store = Store(engine_for(postgres_database, clock))
    await store.open()
    yield store
    await store.close()


@pytest_asyncio.fixture
async def host(store: Store) -> Member:
    """A host that is alive."""
    return await join(store)


@pytest_asyncio.fixture
async def rival(other: Store) -> Member:
    """Another host, in another process."""
    return await join(other)

"""An application on an empty database that has one table of its own."""

from collections.abc import AsyncIterator

import pytest_asyncio

from opwright import Opwright
from opwright.testing import TurnedClock
from tests.contract.kit import query


@pytest_asyncio.fixture
async def ops(database_url: str) -> AsyncIterator[Opwright]:
    """The application under test."""
    application = Opwright(database_url)
    async with application:
        await query(await application.client.store(), "create table users (name text not null)")
        yield application


@pytest_asyncio.fixture
async def turned(database_url: str) -> AsyncIterator[Opwright]:
    """The same with a clock that can be turned, where an event is tried again twice."""
    application = Opwright(database_url, clock=TurnedClock(), event_retries=2)
    async with application:
        await query(await application.client.store(), "create table users (name text not null)")
        yield application

"""An application on an empty database that has one table of its own."""

from collections.abc import AsyncIterator

import pytest_asyncio

from opwright import Opwright
from tests.contract.kit import query


@pytest_asyncio.fixture
async def ops(database_url: str) -> AsyncIterator[Opwright]:
    """The application under test."""
    application = Opwright(database_url)
    async with application:
        await query(await application.client.store(), "create table users (name text not null)")
        yield application

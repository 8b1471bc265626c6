"""An application on an empty database, opened for the test's event loop."""

from collections.abc import AsyncIterator

import pytest_asyncio

from opwright import Opwright


@pytest_asyncio.fixture
async def ops(database_url: str) -> AsyncIterator[Opwright]:
    """The application under test; its tables are there."""
    application = Opwright(database_url)
    async with application:
        yield application

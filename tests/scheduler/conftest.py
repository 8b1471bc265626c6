"""A store on an empty database, and a clock that the tests turn."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from opwright.clock import TurnedClock
from opwright.store.store import Store, engine_for


@pytest.fixture
def clock() -> TurnedClock:
    """The time of every statement, and of every decision."""
    return TurnedClock()


@pytest_asyncio.fixture
async def store(database_url: str, clock: TurnedClock) -> AsyncIterator[Store]:
    """The store under test, on either engine."""
    opened = Store(engine_for(database_url, clock))
    await opened.open()
    yield opened
    await opened.close()

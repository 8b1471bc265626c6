"""The application on a test's own database, with a clock to turn."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from opwright import Opwright
from opwright.testing import TurnedClock, relocated
from tests.testing import shop


@pytest.fixture(autouse=True)
def _nothing_done() -> Iterator[None]:
    yield
    shop.done.clear()
    shop.threads.clear()


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest_asyncio.fixture
async def ops(database_url: str, clock: TurnedClock) -> AsyncIterator[Opwright]:
    async with relocated(shop.ops, database_url, clock=clock) as moved:
        yield moved


@pytest.fixture
def sync_ops(sqlite_path: object, clock: TurnedClock) -> Iterator[Opwright]:
    with relocated(shop.ops, f"sqlite:///{sqlite_path}", clock=clock) as moved:
        yield moved

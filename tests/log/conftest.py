"""Two processes of one shop, on each engine."""

from datetime import UTC, datetime

import pytest

from opwright.clock import TurnedClock
from tests.log.kit import Shop


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock(datetime.now(UTC))


@pytest.fixture
def prices() -> dict[str, int]:
    """What all processes share."""
    return {"cup": 3, "pot": 20}


@pytest.fixture
def here(database_url: str, prices: dict[str, int], clock: TurnedClock) -> Shop:
    """The process whose cache is looked at."""
    return Shop(database_url, prices, clock)


@pytest.fixture
def there(database_url: str, prices: dict[str, int], clock: TurnedClock) -> Shop:
    """Another process."""
    return Shop(database_url, prices, clock)

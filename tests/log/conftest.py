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
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first value waits for the reading to begin, however long a busy machine takes for that: else it is computed twice."""
    monkeypatch.setattr("opwright.app.log_station.GATE_SECONDS", 30.0)


@pytest.fixture
def here(database_url: str, prices: dict[str, int], clock: TurnedClock, patient: None) -> Shop:
    """The process whose cache is looked at."""
    return Shop(database_url, prices, clock)


@pytest.fixture
def there(database_url: str, prices: dict[str, int], clock: TurnedClock, patient: None) -> Shop:
    """Another process."""
    return Shop(database_url, prices, clock)

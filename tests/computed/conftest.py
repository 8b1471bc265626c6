import pytest

from opwright import Opwright
from opwright.clock import TurnedClock


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def ops(clock: TurnedClock) -> Opwright:
    """An application that never opens its database."""
    return Opwright("sqlite:///never.db", clock=clock)

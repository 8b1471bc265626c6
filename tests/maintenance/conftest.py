"""Stores on one empty database, and a clock that starts where ids are made: at the present."""

from datetime import UTC, datetime, timedelta

import pytest

from opwright.clock import TurnedClock
from tests.contract.conftest import contract_url, host, open_store, other, rival, store

__all__ = ["contract_url", "host", "open_store", "other", "rival", "store"]


@pytest.fixture
def clock() -> TurnedClock:
    """The time of every statement: beyond the real one, which ids tell, however long a test takes."""
    return TurnedClock(datetime.now(UTC) + timedelta(minutes=2))

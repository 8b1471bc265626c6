"""Both engines keep the promises that are exported, and an engine that breaks one is found."""

import pytest

from opwright.testing.contract import EngineContract


class TestOurEngines(EngineContract):
    """SQLite and PostgreSQL, as an application's own test would run them."""

    @pytest.fixture
    def url(self, database_url: str) -> str:
        return database_url

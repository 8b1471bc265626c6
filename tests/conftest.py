"""Fixtures for every test: the two engines, always empty, always real."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.servers import PostgresServer, running_postgres

# pytest's own time limit judges; how long one example takes on a busy machine says nothing.
settings.register_profile("opwright", parent=settings(), deadline=None)
settings.load_profile("opwright")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL; a test may stop, start and restart it."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a fresh empty PostgreSQL database."""
    postgres_server.start()  # the test before may have left it down
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    """Where a SQLite database may be made."""
    return tmp_path / "opwright.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database; the test runs once on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{request.getfixturevalue('sqlite_path')}"
    url: str = request.getfixturevalue("postgres_database")
    return url

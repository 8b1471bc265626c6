"""The kinds of log watchers, each with a real server."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from opwright.watch.bell import Bell
from tests.redis_server import RedisServer, running_redis
from tests.watch.log_kit import Fleet, FolderPlace, PostgresPlace, RedisPlace

FOLDERS = ["file", "file without bell"]
KINDS = ["postgresql", "redis", *FOLDERS]


@pytest.fixture(scope="session")
def redis_session() -> Iterator[RedisServer]:
    """One server for all tests of a run."""
    with running_redis() as server:
        yield server


@pytest.fixture
def redis_server(redis_session: RedisServer) -> RedisServer:
    """A real Redis; a test may stop it and start it again."""
    redis_session.start()  # the test before may have left it down
    return redis_session


@pytest.fixture
def no_bell(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a network mount, and on other systems."""
    monkeypatch.setattr(Bell, "at", lambda *_: None)


@pytest.fixture
def place(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> object:
    """Where the watchers of a kind meet."""
    if kind == "postgresql":
        return PostgresPlace(request.getfixturevalue("postgres_database"), request.getfixturevalue("postgres_server"))
    if kind == "redis":
        return RedisPlace(request.getfixturevalue("redis_server"))
    if kind == "file without bell":
        request.getfixturevalue("no_bell")
    (tmp_path / "shared").mkdir()
    return FolderPlace(tmp_path / "shared")


@pytest_asyncio.fixture
async def fleet(place: object) -> AsyncIterator[Fleet]:
    """Processes that meet there; stopped afterwards."""
    made = Fleet(place)
    yield made
    await made.close()

"""An application with a table of its own, and its connection through each library."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from opwright import Opwright
from tests.contract.kit import query
from tests.foreign.kit import Caller, calling
from tests.foreign.ways import AT_ONCE, POSTGRESQL, SQLITE

TRANSACTIONAL = SQLITE | POSTGRESQL


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test runs with every connection there is: in a transaction, or outside any when it asks for ``at_once``."""
    if "caller" in metafunc.fixturenames:
        metafunc.parametrize("kind", TRANSACTIONAL)
    elif "at_once" in metafunc.fixturenames:
        metafunc.parametrize("kind", AT_ONCE)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest) -> str:
    """An empty database for that connection."""
    if "sqlite" in kind:
        return f"sqlite:///{request.getfixturevalue('sqlite_path')}"
    return str(request.getfixturevalue("postgres_database"))


@pytest_asyncio.fixture
async def shop(url: str) -> AsyncIterator[Opwright]:
    """The application."""
    ops = Opwright(url)
    async with ops:
        await query(await ops.client.store(), "create table mine (number integer)")
        yield ops


@pytest_asyncio.fixture
async def caller(kind: str, url: str, shop: Opwright) -> AsyncIterator[Caller]:
    """The application's connection; its transaction has begun, as far as the library begins one."""
    async with calling(TRANSACTIONAL[kind], url) as found:
        await found.begin()
        yield found


@pytest_asyncio.fixture
async def at_once(kind: str, url: str, shop: Opwright) -> AsyncIterator[Caller]:
    """The application's connection outside any transaction."""
    async with calling(AT_ONCE[kind], url) as found:
        yield found

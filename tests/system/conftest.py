"""A PgBouncer between program and database."""

from collections.abc import Iterator

import asyncpg
import pytest

from tests.contract import kit
from tests.contract.conftest import clock, host, open_store, other, rival, shared, store
from tests.servers import PostgresServer
from tests.system.bouncer import Bouncer, running_bouncer

__all__ = ["clock", "host", "open_store", "other", "rival", "shared", "store"]


@pytest.fixture(scope="session")
def bouncer(postgres_server: PostgresServer) -> Iterator[Bouncer]:
    """PgBouncer in transaction mode before the tests' own server."""
    with running_bouncer(postgres_server.dsn) as bouncer:
        yield bouncer


@pytest.fixture
def database_url(bouncer: Bouncer, postgres_database: str) -> str:
    """The only engine that a pooler serves; a promise that holds on PostgreSQL alone asks for it by this name."""
    return bouncer.pooled(postgres_database)


@pytest.fixture
def contract_url(database_url: str, postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the contract is tested through. A look into the tables, past everything that is Opwright's, goes past this too."""

    class Direct:
        @staticmethod
        async def connect(url: str, *, statement_cache_size: int) -> "asyncpg.Connection[asyncpg.Record]":
            return await asyncpg.connect(postgres_database, statement_cache_size=statement_cache_size)

    monkeypatch.setattr(kit, "asyncpg", Direct)
    return database_url

"""Others leave no connection, or hold a transaction open: a host keeps what it has and goes on."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from opwright.errors import StoreUnavailable
from tests.kit.application import Application
from tests.kit.processes import HostProcess
from tests.kit.tables import ALIVE, Tables
from tests.kit.waiting import eventually

MANY = 200


@pytest.fixture
def database_url(postgres_database: str) -> str:
    return postgres_database


@asynccontextmanager
async def crowded(url: str, most: int) -> AsyncIterator[None]:
    """A role that may open so many connections, and somebody who has opened all that were left."""
    async with AsyncExitStack() as stack:
        for _ in range(most):
            try:
                raw = await asyncpg.connect(url)
            except asyncpg.TooManyConnectionsError:
                break
            stack.push_async_callback(raw.close)
        yield


@pytest.mark.fault("F33")
async def test_a_host_goes_on_with_the_connections_that_it_has(tables: Tables, tmp_path: Path) -> None:
    """The application leaks connections until the server gives none: claims, ends and renewals have their own already."""
    role = f"few_{tmp_path.name.replace('-', '_')}"[:40].lower()
    await tables.rows(f"create role {role} superuser login connection limit -1")
    name = await tables.value("select current_database()")
    await tables.rows(f"alter role {role} nosuperuser")
    await tables.rows(f"alter database {name} owner to {role}")
    url = tables.url.replace("postgres@", f"{role}@")
    application = Application(url)
    try:
        with HostProcess(url, tmp_path, workers=1, lease=4, renew=0.5, heartbeat=0.5) as host:
            await host.ready()
            async with application.ops:
                await host.event("watcher.connected")
                assert await (await application.double.submit(1)).result(20) == 2
                await tables.rows(f"alter role {role} connection limit 12")
                async with crowded(url, 20):
                    with pytest.raises(StoreUnavailable, match="too many connections"):
                        async with Application(url).ops as another:
                            await another.submit("double", number=1)
                    many = await application.double.submit_many([(number,) for number in range(MANY)])
                    assert [await one.result(20) for one in many] == [2 * number for number in range(MANY)]
                    assert host.events("service.failed") == []
            assert await tables.hosts() == {host.id: ALIVE}
    finally:
        await tables.rows(f"alter database {name} owner to postgres")
        await tables.rows(f"reassign owned by {role} to postgres")
        await tables.rows(f"drop owned by {role}")
        await tables.rows(f"drop role {role}")


@pytest.mark.fault("F35")
async def test_transactions_that_others_leave_open_keep_nobody_waiting(
    application: Application, tables: Tables, tmp_path: Path
) -> None:
    """One idle with a transaction id, four readers with an old snapshot: work is done, and the host stops within its grace."""
    async with AsyncExitStack() as stack:
        for number in range(5):
            raw = await asyncpg.connect(tables.url)
            stack.push_async_callback(raw.close)
            await raw.execute("begin isolation level repeatable read")
            await raw.fetch("select pg_current_xact_id()" if number == 0 else "select count(*) from pg_class")
        with HostProcess(tables.url, tmp_path, workers=1, heartbeat=0.5, stop_grace=5) as host:
            await host.ready()
            async with application.ops:
                many = await application.double.submit_many([(number,) for number in range(MANY)])
                assert [await one.result(30) for one in many] == [2 * number for number in range(MANY)]
                await application.nap.submit(60)
                await eventually(lambda: _claimed(tables), 10, "it runs")
                begun = time.monotonic()
                host.terminate()
                assert await host.ended(30) == 0
                assert time.monotonic() - begun < 5 + 5 + 15  # grace, kill, and a busy machine
    assert await tables.counts() == {"operations": MANY + 1, "ready": 1, "outcomes": MANY, "hosts": 1}
    assert await tables.rows("select errors, deaths from opwright.ready") == [(0, 0)]


async def _claimed(tables: Tables) -> bool:
    return await tables.count("claimed") == 1

"""A host with worker processes that reaches its database through a real PgBouncer in transaction mode."""

import time
from pathlib import Path

import pytest

from tests.kit.application import Application
from tests.kit.processes import HostProcess
from tests.kit.tables import STOPPED, Tables
from tests.kit.waiting import eventually
from tests.system.bouncer import Bouncer

pytestmark = pytest.mark.system

MANY = 500
NEVER = 60.0  # seconds: the heartbeat of a host that has to be told


@pytest.mark.parametrize("listens", [True, False], ids=["listen_url", "polling"])
async def test_a_host_drains_operations(bouncer: Bouncer, postgres_database: str, tmp_path: Path, listens: bool) -> None:  # noqa: FBT001
    """With ``listen_url`` it needs no heartbeat; without it polls. Each operation is done once, by a worker."""
    url = bouncer.pooled(postgres_database, listens=listens)
    application, tables = Application(url), Tables(postgres_database)
    with HostProcess(url, tmp_path, heartbeat=NEVER if listens else 0.3) as host:
        async with application.ops:
            await host.ready()
            if listens:
                await host.event("watcher.connected")
            begun = time.monotonic()
            one_by_one = [await application.double.submit(number) for number in range(MANY // 10)]
            handles = one_by_one + await application.double.submit_many([(number,) for number in range(MANY // 10, MANY)])
            last = await application.whoami.submit()

            async def done() -> bool:
                return await tables.count("outcomes") == MANY + 1

            await eventually(done, NEVER / 2, f"{MANY} operations have ended")
            assert time.monotonic() - begun < NEVER
            assert [await handle.result(5) for handle in handles] == [2 * number for number in range(MANY)]
            assert await last.result(5) in host.children()
            assert bool(host.events("watcher.connected")) is listens
            assert host.events("service.failed") == []
        host.terminate()
        assert await host.ended() == 0
    assert await tables.attempts() == {(1, 1): MANY + 1}
    assert await tables.counts() == {"operations": MANY + 1, "outcomes": MANY + 1, "hosts": 1}
    assert list((await tables.hosts()).values()) == [STOPPED]

"""A host for each test, whose pool leaves nothing behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from opwright.workers.inline import InlinePool
from tests.workers.application import TRIGGERS, Application
from tests.workers.host import Host


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    """A host without a pool yet. Whatever pool it made is stopped, and no process of it may be left."""
    host = Host(tmp_path)
    before = {child.pid for child in psutil.Process().children()}
    yield host
    if hasattr(host, "pool"):
        await host.pool.stop(0, 0)
        assert host.pool.workers() == ()
    host.close()
    assert {child.pid for child in psutil.Process().children()} <= before


@pytest.fixture
async def processes(host: Host) -> Host:
    """A host with two ready worker processes."""
    await host.heated(2)
    return host


@pytest.fixture
async def inline(host: Host) -> Host:
    """A host with a pool of two slots in its own process."""
    host.pool = InlinePool(Application(*TRIGGERS), 2, on_updates=host.on_updates, on_room=host.on_room)
    await host.pool.start()
    return host


@pytest.fixture(params=["processes", "slots", "inline"])
async def either(request: pytest.FixtureRequest, host: Host) -> Host:
    """Room for two operations: two processes, one with two slots, or the host's own process."""
    if request.param == "inline":
        host.pool = InlinePool(Application(*TRIGGERS), 2, on_updates=host.on_updates, on_room=host.on_room)
        await host.pool.start()
    elif request.param == "slots":
        await host.heated(1, slots=2)
    else:
        await host.heated(2)
    return host

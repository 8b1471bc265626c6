"""A host for each test, whose pool leaves nothing behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from opwright.workers.inline import InlinePool
from tests.workers.application import TRIGGERS, Application
from tests.workers.host import Host
from tests.workers.inside import ops


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


async def host_inside(host: Host, kind: str, room: int = 2) -> Host:
    """Give it a started pool of the application that speaks and asks."""
    if kind == "inline":
        host.pool = InlinePool(ops.registry, room, on_updates=host.on_updates, on_room=host.on_room, on_remarks=host.on_remarks)
        await host.pool.start()
    elif kind == "slots":
        await host.heated(1, slots=room, program="inside")
    else:
        await host.heated(room, program="inside")
    return host


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


@pytest.fixture(params=["processes", "slots", "inline"])
async def inside(request: pytest.FixtureRequest, host: Host) -> Host:
    """The same three, for the application whose triggers speak and ask."""
    return await host_inside(host, request.param)


@pytest.fixture(params=["process", "inline"])
async def alone(request: pytest.FixtureRequest, host: Host) -> Host:
    """The same with room for one operation."""
    return await host_inside(host, request.param, room=1)

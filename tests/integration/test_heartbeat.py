"""The lease of a host proves that its scheduler moves, not that its process is there."""

import asyncio
import logging

import pytest

from opwright import Opwright
from opwright.app.host import Host
from opwright.model.host import HostState
from opwright.telemetry import recorded
from tests.kit.waiting import eventually

LEASE, RENEW = 1.0, 0.2
SECONDS = 30.0


async def double(number: int) -> int:
    return 2 * number


@pytest.fixture
def ops(database_url: str) -> Opwright:
    made = Opwright(database_url)
    made.operation(double)
    return made


async def states(ops: Opwright) -> dict[int, HostState]:
    return {host.id: host.state for host in await (await ops.client.store()).hosts.all()}


def host_of(ops: Opwright) -> Host:
    return ops.host(pool="inline", lease=LEASE, renew=RENEW, heartbeat=0.2)


async def test_a_host_whose_scheduler_hangs_is_taken_over_and_returns(
    ops: Opwright, database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another host has its work meanwhile. When its scheduler moves again it finds out, and returns under a new id."""
    monkeypatch.setattr("opwright.app.host.STANDSTILL", 1.0)
    other_ops = Opwright(database_url)
    other_ops.operation(double)
    free = asyncio.Event()
    async with ops, other_ops, host_of(ops) as hung, host_of(other_ops):
        old, step = hung.id, hung._scheduler.run_once

        async def hang() -> float:
            await free.wait()
            return await step()

        async def dead() -> bool:
            return (await states(ops))[old] is HostState.DEAD

        with recorded() as events, caplog.at_level(logging.ERROR, "opwright"):
            monkeypatch.setattr(hung._scheduler, "run_once", hang)
            await eventually(dead, SECONDS, "it is taken over")
            assert await (await ops.submit("double", number=1)).result(SECONDS) == 2
            free.set()
            await eventually(lambda: hung.id != old, SECONDS, "it returns under a new id")
        hangs = [fields["service"] for name, fields in events if name == "service.hung"]
        assert hangs == ["scheduler"]
        assert sum("a step has not ended" in record.getMessage() for record in caplog.records) == 1
        assert (await states(ops))[hung.id] is HostState.ALIVE


async def test_every_service_of_a_host_begins_again_when_its_loop_has_died(ops: Opwright) -> None:
    """Scheduler, settler, lease, housekeeping, watcher: each is told, and the host works on under the same id."""
    async with ops, host_of(ops) as host:
        number = host.id
        assert await (await ops.submit("double", number=1)).result(SECONDS) == 2
        with recorded() as events:
            for service in host._services:
                assert service._task is not None
                service._task.cancel()
            await eventually(lambda: len([name for name, _ in events if name == "service.died"]) >= len(host._services))
            await eventually(lambda: all(service.running for service in host._services), SECONDS, "each begins again")
        assert await (await ops.submit("double", number=2)).result(SECONDS) == 4
        assert host.id == number

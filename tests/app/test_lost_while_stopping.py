"""A host that is taken over while it stops."""

import asyncio

import pytest

from opwright import Opwright, Status
from opwright.app.host import Host
from opwright.model.host import HostState
from opwright.workers.pool import Pool
from tests.contract.kit import query
from tests.kit.waiting import eventually

begun: list[int] = []


async def hold(number: int) -> int:
    begun.append(number)
    await asyncio.sleep(3600)
    return number


class Pools:
    """Counts the pools that a host makes."""

    def __init__(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        self._make = host._make_pool
        self.made: list[Pool] = []
        monkeypatch.setattr(host, "_make_pool", self)

    def __call__(self) -> Pool:
        self.made.append(self._make())
        return self.made[-1]


async def take_over(ops: Opwright, host: Host) -> None:
    """Another host judges this one dead, and it notices at its next renewal, which comes now."""
    await query(await ops.client.store(), f"update opwright.hosts set state = 2 where id = {host.id} returning id")
    host._lease.wake()


async def test_a_host_that_is_taken_over_while_it_stops_starts_no_pool(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would end that pool's workers. What ran is ended, and the stop comes to its end without waiting for its grace."""
    ops = Opwright(database_url)
    trigger = ops.operation(hold)
    async with ops:
        host = ops.host(pool="inline")
        pools = Pools(host, monkeypatch)
        begun.clear()
        await host.start()
        number = host.id
        handle = await trigger.submit(1)
        await eventually(lambda: begun, 10, "its begin")
        stopping = asyncio.create_task(host.stop(grace=3600))
        await eventually(lambda: not host._scheduler._claiming, 10, "the stop has begun")
        await take_over(ops, host)
        await asyncio.wait_for(stopping, 20)
        assert len(pools.made) == 1
        assert host.active() == ()
        states = {row.id: row.state for row in await (await ops.client.store()).hosts.all()}
        assert states[number] is HostState.DEAD
        assert HostState.ALIVE not in states.values()
        assert await handle.status() is Status.PROCESSING  # others take it over from the host that is dead


async def test_a_host_that_goes_on_starts_afresh(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken over without a stop it goes on under a new id."""
    ops = Opwright(database_url)
    trigger = ops.operation(hold)
    async with ops:
        host = ops.host(pool="inline")
        pools = Pools(host, monkeypatch)
        begun.clear()
        await host.start()
        await trigger.submit(1)
        await eventually(lambda: begun, 10, "its begin")
        await take_over(ops, host)
        await eventually(lambda: len(pools.made) == 2, 10, "a new pool")
        await trigger.submit(2)
        await eventually(lambda: 2 in begun, 10, "the work of the new pool")
        await host.stop(grace=0)

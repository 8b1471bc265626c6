"""Connections are ended one after the other, again and again, while there is work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.kit.application import Application
from tests.kit.processes import HostProcess
from tests.kit.tables import ALIVE, Tables
from tests.kit.waiting import eventually
from tests.kit.wire import wire_to

MANY = 400
KILLS = 15


@pytest.fixture
def database_url(postgres_database: str) -> str:
    return postgres_database


@asynccontextmanager
async def killing(url: str, pause: float) -> AsyncIterator[list[int]]:
    """End one connection of this database every so many seconds, those of Opwright's lanes in turn; the victims so far.

    None that is still being made: who gets no connection has sent nothing, and is told so.
    """
    victims: list[int] = []
    raw = await asyncpg.connect(url)

    async def kill() -> None:
        while True:
            rows = await raw.fetch(
                "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
                "and backend_type = 'client backend' and application_name = 'opwright' and query <> '' order by pid"
            )
            if rows:
                victim = rows[len(victims) % len(rows)][0]
                await raw.execute("select pg_terminate_backend($1)", victim)
                victims.append(victim)
            await asyncio.sleep(pause)

    task = asyncio.create_task(kill())
    try:
        yield victims
    finally:
        task.cancel()
        await asyncio.wait([task])
        await raw.close()
    assert task.cancelled()


@pytest.mark.fault("F29")
async def test_five_connections_a_second_are_ended_under_load(application: Application, tables: Tables, tmp_path: Path) -> None:
    """Claims, ends, renewals and submits lose their connections in turn; every operation ends once, and every answer is true."""
    told: list[int] = []
    with HostProcess(tables.url, tmp_path, workers=2, lease=4, renew=0.5, heartbeat=0.5) as host:
        await host.ready()
        async with application.ops, killing(tables.url, 0.2) as victims:
            while len(told) < MANY or len(victims) < KILLS:
                told.append((await application.double.submit(len(told))).id)

        async def all_ended() -> bool:
            return await tables.count("outcomes") == len(told)

        await eventually(all_ended, 30, "everything has ended")
        assert len(host.events("host.registered")) == 1
        assert await tables.hosts() == {host.id: ALIVE}
        assert host.log().count(" ERROR ") == 0
    assert await tables.column("select id from opwright.operations order by id") == sorted(told)
    assert {status for status, _ in await tables.attempts()} == {1}
    assert await tables.count("claimed") == await tables.count("ready") == 0


@pytest.mark.fault("F5", "F29")
async def test_an_end_whose_answer_is_lost_is_written_once(application: Application, tables: Tables, tmp_path: Path) -> None:
    """The claim's row is gone with the first, so the second finds nothing to end, and the host goes on."""
    async with wire_to(tables.url) as wire:
        with HostProcess(wire.url(tables.url), tmp_path, workers=1, lease=4, renew=0.5, heartbeat=0.5) as host:
            await host.ready()
            async with application.ops:
                assert await (await application.double.submit(1)).result(20) == 2
                wire.lose_answer(b',"4242",')
                handle = await application.double.submit(2121)
                assert await handle.result(20) == 4242
                await wire.lost.wait()
                await host.event("outage.ended")
                assert await (await application.double.submit(3)).result(20) == 6
            assert host.log().count(" ERROR ") == 0
    assert await tables.attempts() == {(1, 1): 3}


@pytest.mark.fault("F4", "F29")
@pytest.mark.parametrize("reaches", [True, False], ids=["committed", "never arrived"])
async def test_a_claim_whose_answer_is_lost_keeps_nobody_waiting(
    application: Application, tables: Tables, tmp_path: Path, *, reaches: bool
) -> None:
    """What stands in the host's name without its knowledge goes back uncharged, long before any lease ends."""
    async with wire_to(tables.url) as wire:
        with HostProcess(wire.url(tables.url), tmp_path, workers=1, lease=60, renew=5, heartbeat=0.5) as host:
            await host.ready()
            async with application.ops:
                assert await (await application.double.submit(1)).result(20) == 2
                # A queue of its own: no claim that was on its way asks for it, and the first that does finds the operation.
                wire.lose_answer(b"aside", b"poison", reaches=reaches)  # the triggers of a claim
                handle = await application.double.options(queue="aside").submit(2)
                await wire.lost.wait()
                assert await handle.result(20) == 4
            assert bool(host.events("claim.reconciled")) is reaches
    assert await tables.attempts() == {(1, 1): 2}

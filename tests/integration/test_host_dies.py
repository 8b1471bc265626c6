"""Hosts that are killed, frozen, or cut off from their database: nothing is lost, and nothing of a stale host lands."""

import asyncio
import signal
from functools import partial
from pathlib import Path

import pytest

from tests.kit.application import Application
from tests.kit.diary import Diary
from tests.kit.processes import HostProcess, all_ended
from tests.kit.tables import ALIVE, DEAD, DEATH, Tables
from tests.kit.waiting import eventually
from tests.servers import PostgresServer

LEASE, RENEW = 1.5, 0.4
MANY = 300

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def short(url: str, folder: Path, name: str, workers: int = 2, lease: float = LEASE) -> HostProcess:
    """A host with a short lease."""
    return HostProcess(url, folder, name, workers=workers, lease=lease, renew=RENEW, heartbeat=0.5)


async def ended(tables: Tables, count: int, seconds: float = 30) -> None:
    async def done() -> bool:
        return await tables.count("outcomes") >= count

    await eventually(done, seconds, f"{count} operations have ended")


async def test_another_host_takes_over_what_a_killed_host_held(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path
) -> None:
    """No worker of it lives on, everything ends, and no operation is charged more than one recovery."""
    async with application.ops:
        with short(tables.url, tmp_path, "doomed") as doomed:
            await doomed.ready()
            held = [await application.hold.submit(name) for name in ("one", "two")]
            await diary.wait("start", "one")
            await diary.wait("start", "two")
            with short(tables.url, tmp_path, "heir") as heir:
                await heir.ready()
                others = await application.double.submit_many([(number,) for number in range(MANY)])
                workers = doomed.children()
                doomed.kill()
                await all_ended(workers, 2)
                await diary.wait("start", "one", 2)
                await diary.wait("start", "two", 2)
                assert {*diary.pids("one")[1:], *diary.pids("two")[1:]} == set(heir.children())
                diary.release("one")
                diary.release("two")
                await ended(tables, MANY + 2)
                assert [await one.result(5) for one in others] == [2 * number for number in range(MANY)]
                assert await tables.hosts() == {doomed.id: DEAD, heir.id: ALIVE}
    assert {len(diary.pids(name)) for name in ("one", "two")} == {2}
    notes = await tables.rows("select operation, kind from opwright.operationstatus")
    assert len({operation for operation, _ in notes}) == len(notes), "an operation was charged twice"
    assert {(one.id, DEATH) for one in held} <= set(notes)
    assert {status for status, _ in await tables.attempts()} == {1}
    assert max(attempt for _, attempt in await tables.attempts()) == 2


@pytest.mark.fault("F44")
async def test_a_frozen_host_changes_nothing_when_it_wakes_up_late(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path
) -> None:
    """Taken over past its lease, it drops its claims, returns under a new id, and works on."""
    async with application.ops:
        with short(tables.url, tmp_path, "frozen", workers=1) as frozen:
            await frozen.ready()
            operation = await application.hold.submit("late")
            stale = (await diary.wait("start", "late")).pid
            with short(tables.url, tmp_path, "heir", workers=1) as heir:
                await heir.ready()
                old = frozen.id
                await frozen.freeze()
                fresh = (await diary.wait("start", "late", 2)).pid
                assert [fresh] == heir.children()
                diary.release("late", stale)  # the stale attempt ends well, and its host finds that answer when it wakes up
                await diary.wait("end", "late")
                frozen.signal(signal.SIGCONT)
                await frozen.event("host.registered", 2)
                assert await tables.hosts() == {old: DEAD, heir.id: ALIVE, frozen.id: ALIVE}
                rows = await tables.rows(f"select operation, host, deaths from opwright.claimed where host <> {old}")
                assert rows == [(operation.id, heir.id, 1)]
                assert await tables.count("outcomes") == 0
                diary.release("late", fresh)
                assert await operation.result(10) == fresh
                assert await tables.rows("select host, attempt from opwright.outcomes") == [(heir.id, 2)]
                heir.terminate()
                assert await heir.ended() == 0
            again = await application.whoami.submit()
            assert await again.result(20) in frozen.children()
    assert await tables.value(f"select host from opwright.outcomes where operation = {again.id}") == frozen.id
    assert await tables.count("operationstatus") == 1


@on_postgresql
@pytest.mark.parametrize("way", ["fast", "immediate", "outage", "terminate"])
async def test_hosts_survive_their_database(  # noqa: PLR0917 - pytest hands over by name
    application: Application, diary: Diary, tables: Tables, tmp_path: Path, postgres_server: PostgresServer, way: str
) -> None:
    """A restart, a crash, an outage longer than the lease, every connection cut: nothing is lost and nobody is taken over."""
    with short(tables.url, tmp_path, "one") as one, short(tables.url, tmp_path, "two") as two:
        await one.ready()
        await two.ready()
        async with application.ops:
            await application.hold.submit("through")
            await diary.wait("start", "through")
            await application.double.submit_many([(number,) for number in range(MANY)])
        workers = {*one.children(), *two.children()}
        await disturb(postgres_server, way, one, two)
        for host in (one, two):
            await eventually(partial(connected_again, host), 20, "it listens again")
        async with application.ops:
            diary.release("through")
            await application.double.submit_many([(number,) for number in range(MANY)])
            await ended(tables, 2 * MANY + 1)
            assert await tables.hosts() == {one.id: ALIVE, two.id: ALIVE}
            assert len(one.events("host.registered")) == len(two.events("host.registered")) == 1
            assert {*one.children(), *two.children()} == workers
            assert {status for status, _ in await tables.attempts()} == {1}
            assert await tables.attempts() == {(1, 1): 2 * MANY + 1}
            assert await tables.count("claimed") == 0


def connected_again(host: HostProcess) -> bool:
    return len(host.events("watcher.connected")) >= 2


async def disturb(server: PostgresServer, way: str, *hosts: HostProcess) -> None:
    if way == "terminate":
        server.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where pid <> pg_backend_pid() and backend_type = 'client backend'"
        )
    elif way == "outage":
        server.stop()
        try:
            begun = asyncio.get_running_loop().time()
            for host in hosts:
                await host.event("service.failed")
            await eventually(lambda: asyncio.get_running_loop().time() - begun > 2 * LEASE, 10, "every lease has lapsed")
        finally:
            server.start()
    else:
        server.restart("immediate" if way == "immediate" else "fast")

"""Programs of two releases on one database, and migrations that are met by others or by death."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Self

import asyncpg
import pytest

from opwright import Handle, Status
from opwright.store.migrations import migrations
from opwright.store.statements import POSTGRESQL, SQLITE
from tests.kit.application import Application, Older
from tests.kit.diary import Diary
from tests.kit.processes import ROOT, HostProcess
from tests.kit.skew import HOUR
from tests.kit.tables import Tables
from tests.kit.waiting import eventually

NEWER = "tests.kit.newer"
NEXT = 9000
MANY = 4  # hosts that start at once

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def migrating(url: str) -> subprocess.Popen[str]:
    """``opwright migrate`` of the newer program, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "opwright", "migrate", f"{NEWER}:ops"], cwd=ROOT, env=os.environ | {"OPWRIGHT_URL": url},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


async def said(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code, and what it wrote."""
    text, _ = await asyncio.to_thread(process.communicate, timeout=30)
    return process.returncode, text


async def versions(tables: Tables) -> list[int]:
    """The steps of the schema that the database says it has."""
    return await tables.column("select version from opwright.migrations order by version")


class Load:
    """Submits, one small batch after the other, and asks about each, until the block ends."""

    def __init__(self, application: Application) -> None:
        self.handles: list[Handle[int]] = []
        self._application = application
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._submit())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task.done():
            self._task.result()
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _submit(self) -> None:
        while True:
            first = len(self.handles)
            batch = await self._application.double.submit_many([(number,) for number in range(first, first + 5)])
            self.handles += list(batch)
            await self.handles[-1].get()
            await asyncio.sleep(0.02)

    async def more(self) -> None:
        """Wait until what is submitted from now on has ended."""
        before = len(self.handles)
        await eventually(lambda: len(self.handles) >= before + 20, 30, "more is submitted")
        await self.handles[before + 15].result(30)


@pytest.mark.fault("F64", "F65")
@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_hosts_of_two_releases_share_the_work_before_during_and_after_a_migration(
    application: Application, tables: Tables, tmp_path: Path
) -> None:
    """Two older hosts under load, a migration, a newer host beside them, then they go one by one: each operation is done once."""
    host = partial(HostProcess, tables.url, tmp_path, lease=6.0, renew=1.0)
    async with application.ops, Load(application) as load:
        with host("older-1") as one, host("older-2") as two:
            await one.ready()
            await two.ready()
            await worked(tables, one, two)
            await load.more()
            if not tables.is_sqlite:  # there the newer program brings the schema up by itself
                await refused(host("too-early", module=NEWER), "opwright migrate")
                assert NEXT not in await versions(tables)
            code, text = await said(migrating(tables.url))
            assert (code, text) == (0, "applied 9000 moods\n")
            await load.more()
            with host("newer", module=NEWER) as newer:
                await newer.ready()
                await worked(tables, newer)
                for leaving in (one, two):
                    await load.more()
                    leaving.terminate()
                    assert await leaving.ended() == 0
                await load.more()
                await refused(host("too-late"), "9000")
                assert [each.events("service.failed") for each in (one, two, newer)] == [[], [], []]
                results = [await handle.result(30) for handle in load.handles]
    assert results == [2 * number for number in range(len(results))]
    assert (await tables.attempts()).keys() == {(1, 1)}
    assert await workers_of(tables) == {one.id, two.id, newer.id}


async def workers_of(tables: Tables) -> set[int]:
    """The hosts that have ended something."""
    return set(await tables.column("select distinct host from opwright.outcomes"))


async def worked(tables: Tables, *hosts: HostProcess) -> None:
    """Until each of these has ended something: who is faster may take all that comes for a while."""

    async def all_have() -> bool:
        return {host.id for host in hosts} <= await workers_of(tables)

    await eventually(all_have, 30, "each of them has done something")


async def refused(host: HostProcess, told: str) -> None:
    """It ends by itself, with an error that says why."""
    with host:
        assert await host.ended() not in {0, -signal.SIGKILL}
        assert told in host.log()
        assert "Traceback" not in host.log()


@pytest.mark.fault("F65")
async def test_an_older_program_neither_runs_on_a_newer_schema_nor_mends_it(
    application: Application, tables: Tables, tmp_path: Path
) -> None:
    """Neither a host nor `migrate` of it changes a row; both say which version there is."""
    async with application.ops:
        waiting = await application.note.submit("waiting")
    assert (await said(migrating(tables.url)))[0] == 0
    before = await versions(tables), await tables.counts()
    await refused(HostProcess(tables.url, tmp_path), "9000")
    older = [sys.executable, "-m", "opwright", "migrate", "--url", tables.url]
    done = await asyncio.to_thread(subprocess.run, older, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode != 0, "9000" in done.stderr, "Traceback" in done.stderr) == (True, True, False)
    assert (await versions(tables), await tables.counts()) == before
    assert before[1]["ready"] == 1
    with HostProcess(tables.url, tmp_path, "newer", module=NEWER) as newer:
        await waiting_is_done(tables, waiting.id)
        assert newer.events("service.failed") == []


async def waiting_is_done(tables: Tables, operation: int) -> None:
    async def done() -> bool:
        return operation in await tables.column("select operation from opwright.outcomes where status = 1")

    await eventually(done, 20, "it is done")


@pytest.mark.fault("F66")
@pytest.mark.timeout(120)
async def test_hosts_that_start_at_once_on_an_empty_database_install_it_once(
    application: Application, tables: Tables, diary: Diary, tmp_path: Path
) -> None:
    """Every one of them comes up and works; none saw half a schema."""
    with ExitStack() as stack:
        hosts = [stack.enter_context(HostProcess(tables.url, tmp_path, f"host-{number}", workers=1)) for number in range(MANY)]
        for host in hosts:
            await host.until(lambda host=host: bool(host.events("worker.ready") and host.events("host.started")), "ready", 90)  # type: ignore[misc]
        known = migrations(SQLITE if tables.is_sqlite else POSTGRESQL, "opwright")
        assert await versions(tables) == [step.version for step in known]
        assert len(await tables.hosts()) == MANY
        assert [host.events("service.failed") for host in hosts] == [[]] * MANY
        async with application.ops:
            await application.note.submit("works")
            await diary.wait("start", "works", seconds=20)


@on_postgresql
@pytest.mark.fault("F66", "F69")
@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGINT])
async def test_a_migration_that_dies_half_way_leaves_neither_a_lock_nor_half_a_step(
    application: Application, tables: Tables, way: signal.Signals
) -> None:
    """It has made a table and waits for a lock when it is killed or interrupted. The next one finds all as it was."""
    async with application.ops:
        await application.note.submit("kept")
    before = await structure(tables)
    busy = await asyncpg.connect(tables.url)
    async with busy.transaction():
        await busy.execute("select count(*) from opwright.operations")
        process = migrating(tables.url)
        await waits_for_a_lock(tables)
        process.send_signal(way)
        await said(process)
        assert process.returncode != 0
    await busy.close()
    await nobody_of_ours_is_connected(tables)
    assert await structure(tables) == before
    assert (await said(migrating(tables.url)))[0] == 0
    assert (await versions(tables))[-1] == NEXT
    assert await tables.column("select indexrelid from pg_index where not indisvalid or not indisready") == []
    assert await tables.count("operations") == 1


async def structure(tables: Tables) -> list[str]:
    """Every table, index and view of the schema."""
    return await tables.column(
        "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'opwright' order by 1"
    )


async def waits_for_a_lock(tables: Tables) -> None:
    async def waits() -> bool:
        sql = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        return bool(await tables.value(sql))

    await eventually(waits, 20, "the migration waits for a lock")


async def nobody_of_ours_is_connected(tables: Tables) -> None:
    async def gone() -> bool:
        sql = "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'opwright'"
        return not await tables.value(sql)

    await eventually(gone, 20, "its connection is gone")


@on_postgresql
@pytest.mark.fault("F67")
async def test_what_only_a_newer_program_knows_is_left_for_it_and_costs_the_older_one_little(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path
) -> None:
    """A thousand of it lie in front: the older host does what it knows, and looks no more often than at its heartbeats."""
    async with application.ops:
        unknown = await application.note.submit_many([(f"n{number}",) for number in range(1000)])
        with HostProcess(tables.url, tmp_path, "older", module=Older.module, heartbeat=0.5, unknown_after=HOUR) as older:
            await older.ready()
            assert await (await application.whoami.submit()).result(20) in older.children()
            begun, first = time.monotonic(), await transactions(tables)
            await eventually(lambda: time.monotonic() - begun > 3, 10, "six heartbeats")
            spent, seconds = await transactions(tables) - first, time.monotonic() - begun
            assert spent / seconds < 30, "it spins"
            assert await tables.counts() | {"hosts": 1} == {"operations": 1001, "ready": 1000, "outcomes": 1, "hosts": 1}
            assert await unknown[0].status() is Status.PENDING
            with HostProcess(tables.url, tmp_path, "newer") as newer:
                await newer.ready()
                await diary.wait("start", "n999", seconds=30)
                for handle in unknown:  # the last to begin need not be the last to end
                    await handle.result(20)
        assert await tables.attempts() == {(1, 1): 1001}


async def transactions(tables: Tables) -> int:
    """How many transactions the database has ended."""
    await tables.rows("select pg_stat_force_next_flush()")
    number: int = await tables.value(
        "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()"
    )
    return number

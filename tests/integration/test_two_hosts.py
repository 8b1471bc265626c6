"""Two hosts on one PostgreSQL database share ten thousand operations, and each operation is done exactly once."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.kit.application import Application
from tests.kit.processes import ROOT, HostProcess, all_ended
from tests.kit.tables import STOPPED, Tables
from tests.kit.waiting import eventually

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

ALL = MIDWAY = 10_000  # operations of a test
MEANWHILE = 1_000  # of them submitted while the others are being done
DRAINED = 60.0  # seconds


@pytest.fixture
async def effects(tables: Tables) -> None:
    """A table without any key: what is done twice shows twice."""
    await tables.rows("create table effects (number integer, pid integer, parent integer)")


@asynccontextmanager
async def gate(tables: Tables, first: int) -> AsyncIterator[None]:
    """As long as the block lasts no effect from this number on comes about, however quick the hosts are."""
    await tables.rows("""
        create function wait_at_the_gate() returns trigger language plpgsql as $$
        begin perform pg_advisory_xact_lock_shared(1); return new; end $$
    """)
    await tables.rows(f"""
        create trigger gate before insert on effects
        for each row when (new.number >= {first}) execute function wait_at_the_gate()
    """)
    keeper = await asyncpg.connect(tables.url)
    await keeper.execute("select pg_advisory_lock(1)")
    try:
        yield
    finally:
        await keeper.close()


@contextmanager
def submitter(first: int, count: int) -> Iterator[subprocess.Popen[str]]:
    """A third process that stands ready to submit."""
    command = [sys.executable, "-m", "tests.kit.submitter", str(first), str(count)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def say_go(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


async def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return (await asyncio.to_thread(process.stdout.readline)).strip()


async def submit_all(application: Application, tables: Tables, total: int) -> None:
    """The bulk from here, the rest one by one from a third process while the bulk is being done."""
    bulk = total - MEANWHILE
    with submitter(bulk, MEANWHILE) as third:
        assert await line(third) == "ready"
        for first in range(0, bulk, 1000):
            await application.record.submit_many([(number,) for number in range(first, first + 1000)])
        await eventually(lambda: tables.count("outcomes"), 20, "the hosts are at work")
        say_go(third)
        assert await line(third) == "done"


async def drained(tables: Tables, total: int) -> None:
    async def done() -> bool:
        return await tables.count("outcomes") >= total

    await eventually(done, DRAINED, "everything is done")


async def check_each_was_done_once(tables: Tables, total: int) -> None:
    """No operation was done twice or left out, and none cost anything of its budgets."""
    assert await tables.value("select count(*) from effects") == total
    assert await tables.value("select count(distinct number) from effects") == total
    assert await tables.attempts() == {(1, 1): total}
    left = await tables.counts()
    assert left == {"operations": total, "outcomes": total, "hosts": 2}


async def shares(tables: Tables) -> tuple[Counter[int], Counter[int]]:
    """How many operations each host ended, by id; and how many effects the children of each had, by pid."""
    by_host = Counter(await tables.column("select host from opwright.outcomes"))
    by_pid = Counter(await tables.column("select parent from effects"))
    return by_host, by_pid


async def check_workers_did_it(tables: Tables, *hosts: HostProcess) -> None:
    """Every effect came from a worker, none from a host's own process."""
    pids = set(await tables.column("select distinct pid from effects"))
    assert len(pids) == 4
    assert not pids & {host.pid for host in hosts}


@pytest.mark.usefixtures("effects")
@pytest.mark.timeout(120)
async def test_two_hosts_do_each_of_ten_thousand_operations_once(
    application: Application, tables: Tables, tmp_path: Path
) -> None:
    """Each host does at least a fifth, and what a third process submits meanwhile is among it."""
    url = tables.url
    with HostProcess(url, tmp_path, "one") as one, HostProcess(url, tmp_path, "two") as two:
        async with application.ops:
            await one.ready()
            await two.ready()
            await submit_all(application, tables, ALL)
            await drained(tables, ALL)
        await check_each_was_done_once(tables, ALL)
        await check_workers_did_it(tables, one, two)
        by_host, by_pid = await shares(tables)
        assert by_host.keys() == {one.id, two.id}
        assert by_pid.keys() == {one.pid, two.pid}
        assert min(*by_host.values(), *by_pid.values()) >= ALL / 5, (by_host, by_pid)


@pytest.mark.usefixtures("effects")
@pytest.mark.timeout(120)
async def test_a_host_may_be_stopped_midway(application: Application, tables: Tables, tmp_path: Path) -> None:
    """SIGTERM ends one host with exit code 0; the other does the rest, and nothing is done twice or charged.

    It comes when a quarter is done. Were the hosts so quick that all is done before it is heard, the gate would keep them.
    """
    url = tables.url
    with HostProcess(url, tmp_path, "one") as one, HostProcess(url, tmp_path, "two") as two:
        async with application.ops:
            await one.ready()
            await two.ready()
            async with gate(tables, MIDWAY // 2):
                submitting = asyncio.create_task(submit_all(application, tables, MIDWAY))

                async def midway() -> bool:
                    return await tables.count("outcomes") >= MIDWAY // 4

                await eventually(midway, 20, "a quarter is done")
                workers = one.children()
                one.terminate()
                await one.until(lambda: "stopping" in one.log(), "stopping")
                assert await tables.count("outcomes") <= MIDWAY // 2
            assert await one.ended() == 0
            await all_ended(workers, 1)
            assert (await tables.hosts())[one.id] == STOPPED
            await submitting
            await drained(tables, MIDWAY)
        await check_each_was_done_once(tables, MIDWAY)
        await check_workers_did_it(tables, one, two)
        by_host, _ = await shares(tables)
        assert by_host.keys() == {one.id, two.id}

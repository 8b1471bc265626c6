"""Triggers that violate a constraint, or never stop talking."""

from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from opwright import OperationFailed, Opwright, operation
from opwright.model.claim import NoteKind
from tests.kit.application import Application
from tests.kit.processes import HostProcess
from tests.kit.tables import Tables

LINES, HUGE = 20_000, 64  # MiB
SPARE = 48 << 20  # bytes that a host may grow by: less than one such line


async def insert(connection: Any, number: int) -> None:
    """Take a seat, on a driver's connection, whichever it is."""
    if isinstance(connection, asyncpg.Connection | asyncpg.pool.PoolConnectionProxy):
        await connection.execute(f"insert into seats values ({number})")
    else:
        connection.execute(f"insert into seats values ({number})")


@pytest.mark.fault("F71")
async def test_a_violated_constraint_aborts_its_transaction_and_not_the_record_of_it(database_url: str, tables: Tables) -> None:
    """Both failures are written, attempt by attempt; of what the transaction did nothing is left, and its neighbours succeed."""
    ops = Opwright(database_url)

    @ops.operation(retries=1, backoff=0.01)
    async def book(number: int, *, twice: bool) -> None:
        async with operation.transaction() as own:
            await insert(own.connection, number)
            if twice:
                await insert(own.connection, number)

    await tables.rows("create table seats (number integer primary key)")
    async with ops, ops.host(pool="inline", heartbeat=0.2):
        good = [await book.submit(number, twice=False) for number in range(5)]
        bad = [await book.submit(number, twice=True) for number in range(5, 10)]
        for handle in good:
            await handle.result(20)
        for handle in bad:
            with pytest.raises(OperationFailed, match=r"(?i)unique"):
                await handle.result(20)
        for handle in bad:
            ((kind, text),) = await tables.notes(handle.id)
            assert (kind, "unique" in text.lower()) == (NoteKind.ERROR, True)
            assert (await handle.get()).attempt == 2
    assert await tables.column("select number from seats order by number") == list(range(5))


@pytest.mark.fault("F72")
@pytest.mark.timeout(120)
async def test_of_an_operation_that_never_stops_talking_a_thousand_lines_are_kept(
    application: Application, tables: Tables, tmp_path: Path
) -> None:
    """Lines of 64 MB, twenty thousand short ones, progress at each: bounded rows, and a host that hardly grows."""
    async with application.ops:
        with HostProcess(tables.url, tmp_path, module="tests.kit.chatter") as host:
            await host.ready()
            before = psutil.Process(host.pid).memory_info().rss
            handle = await application.ops.operation(name="chatter")(talk).submit(LINES, HUGE)
            others = await application.double.submit_many([(number,) for number in range(50)])
            assert [await other.result(30) for other in others] == [2 * number for number in range(50)]
            assert await handle.result(40) == LINES
            assert peak(host.pid) - before < SPARE
            assert host.events("service.failed") == host.events("worker.died") == []
        notes = await tables.notes(handle.id)
    kinds = Counter(kind for kind, _ in notes)
    assert kinds == {NoteKind.LOG: 1_001, NoteKind.PROGRESS: 1}
    assert max(len(text) for _, text in notes) <= 4_000
    assert [text[:1] for _, text in notes[:2]] == ["x", "I"]


def talk(lines: int, megabytes: int) -> int:
    """What the submitter knows of it; the hosts have the one that talks."""
    raise AssertionError("it runs in hosts only")


def peak(pid: int) -> int:
    """The most memory that the process has ever had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) << 10

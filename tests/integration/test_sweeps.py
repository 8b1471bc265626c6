"""Hosts delete what their settings say, by themselves; what runs, or is kept, stays."""

from pathlib import Path
from typing import Any

import pytest

from opwright import Handle, OperationFailed, OperationNotFound, Status
from opwright.clock import SECOND
from opwright.model.ids import EPOCH_MS, id_at
from tests.kit.application import Application
from tests.kit.diary import Diary
from tests.kit.processes import HostProcess
from tests.kit.tables import Tables
from tests.kit.waiting import eventually

MOMENT = 1 / 3600  # hours


async def gone(handle: Handle[Any]) -> bool:
    """Whether there is no record of it."""
    try:
        await handle.status()
    except OperationNotFound:
        return True
    return False


def told(host: HostProcess) -> int:
    """How many deletions a host has told of."""
    lines = (line for line in host.log().splitlines() if "CoreJobSweeper: deleted" in line)
    return sum(int(line.split("deleted ")[1].split()[0]) for line in lines)


async def remain(tables: Tables, count: int) -> bool:
    """Whether there are records of so many operations."""
    return await tables.rows("select count(*) from opwright.operations") == [(count,)]


async def made_older(tables: Tables, *handles: Handle[Any]) -> None:
    """As if these had been submitted, and had ended, an hour earlier: what has just ended is spared, and ids tell the time."""
    hour = id_at(EPOCH_MS * 1000 + 3600 * SECOND)
    which = ", ".join(str(handle.id) for handle in handles)
    await tables.rows(
        f"update opwright.operations set id = id - {hour}, created = created - {3600 * SECOND} where id in ({which})"
    )
    for table in ("operationstatus", "outcomes"):
        await tables.rows(f"update opwright.{table} set operation = operation - {hour} where operation in ({which})")
    older = ", ".join(str(handle.id - hour) for handle in handles)
    await tables.rows(f"update opwright.outcomes set ended = ended - {3600 * SECOND} where operation in ({older})")


async def test_hosts_delete_what_is_over_and_keep_the_rest(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path
) -> None:
    """Two of them, each run in one: a success goes after its time, a failure and what runs stay."""
    host = HostProcess(tables.url, tmp_path, "first", keep_succeeded=MOMENT, sweep_interval=0.2)
    second = HostProcess(tables.url, tmp_path, "second", keep_succeeded=MOMENT, sweep_interval=0.2)
    async with application.ops:
        with host, second:
            await host.ready()
            await second.ready()
            running = await application.hold.submit("a")
            await diary.wait("start", "a", seconds=20)
            failed = await application.flaky.submit("b", failures=9)
            with pytest.raises(OperationFailed):
                await failed.result(20)
            over = [await application.double.submit(number) for number in range(20)]
            assert [await one.result(20) for one in over] == [2 * number for number in range(20)]
            await made_older(tables, *over)
            await eventually(lambda: remain(tables, 2), 20, "deleted")
            assert (await running.status(), await failed.status()) == (Status.PROCESSING, Status.FAILED)
            diary.release("a")
            assert await running.result(20)
            await made_older(tables, running)
            await eventually(lambda: remain(tables, 1), 20, "deleted")
            assert await failed.status() is Status.FAILED
            await host.until(lambda: told(host) + told(second) == 21, "telling of each deletion once")


@pytest.mark.parametrize("variable", ["FAILED_OPERATION_THRESHOLD_TIME_HOURS", "FAILED_OPERATION_THRESHOLD_LIMIT_RECORDS"])
async def test_the_clean_up_of_failed_operations_needs_no_code(
    application: Application, tables: Tables, tmp_path: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of its variables and nothing else: failed operations are deleted, and told of; what succeeded stays."""
    monkeypatch.setenv(variable, str(MOMENT) if "TIME" in variable else "1")
    monkeypatch.setenv("POLL_FAILED_OPERATIONS_INTERVAL", "1000")
    async with application.ops:
        with HostProcess(tables.url, tmp_path) as host:
            failed = await application.flaky.submit("b", failures=9)
            done = await application.double.submit(1)
            assert await done.result(30) == 2
            await eventually(lambda: gone(failed), 20, "deleted")
            assert await done.status() is Status.SUCCEEDED
            await host.until(lambda: f"failureOperationHeartbeat: deleted operation {failed.id}: " in host.log(), "telling")

"""Rows that no door has checked, and numbers that outgrow 32 bits."""

import re
from importlib import resources
from pathlib import Path

import pytest

from opwright import OperationFailed, Status
from opwright.model.ids import new_id
from tests.kit.application import Application
from tests.kit.diary import Diary
from tests.kit.processes import HostProcess
from tests.kit.tables import Tables

BEYOND = 3_000_000_000  # what 32 bits cannot hold
LAST_HOST = 2**31 - 2  # the last but one id of a host: each is a start of a host, not a piece of work

# Inputs and options as a program could write them that is not ours, or is newer, or is broken.
STRANGE = [
    ('{"number": "\\u0000"}', None),
    ('{"number": "\\ud800"}', None),
    ('{"number": 1e999}', None),
    ('{"number": 123456789012345678901234567890}', None),
    ("[1, 2]", None),
    ("null", None),
    ('{"number": ' + "[" * 5000 + "]" * 5000 + "}", None),
    ('{"other": 1}', None),
    ('{"number": 1, "and": "more"}', None),
    ('{"number": "x"}', '{"retries": "many", "backoff": 7}'),
    ('{"number": "x"}', "[]"),
    ('{"number": "x"}', '{"timeout": -1}'),
]


@pytest.mark.fault("F41", "F68")
async def test_rows_that_no_door_has_checked_fail_alone(application: Application, tables: Tables, tmp_path: Path) -> None:
    """What cannot be read ends FAILED with a reason, and costs no worker; its neighbours run."""
    async with application.ops:
        first = await application.double.submit_many([(number,) for number in range(20)])
        strange = [await put(tables, inputs, options) for inputs, options in STRANGE]
        last = await application.double.submit_many([(number,) for number in range(20)])
        with HostProcess(tables.url, tmp_path) as host:
            await host.ready()
            workers = host.children()
            assert [await one.result(20) for one in (*first, *last)] == [*range(0, 40, 2)] * 2
            for operation in strange:
                with pytest.raises(OperationFailed, match=r"the inputs do not fit|cannot be stored"):
                    await application.ops.handle(operation).result(20)
            assert host.children() == workers
            assert host.events("service.failed") == host.events("worker.died") == []


async def put(tables: Tables, inputs: str, options: str | None) -> int:
    """Write an operation past every door."""
    operation = new_id()
    budget = "null" if options is None else f"'{options}'"
    columns = "(id, created, priority, trigger, queue, inputs, options)"
    await tables.rows(
        f"insert into opwright.operations {columns} values ({operation}, 1, 0, 'double', 'default', '{inputs}', {budget})"
    )
    await tables.rows(f"insert into opwright.ready values ('default', 0, {operation}, 0, 0, 'double')")
    return operation


@pytest.mark.fault("F42")
async def test_hosts_and_log_lines_are_numbered_beyond_all_that_came_before(
    application: Application, diary: Diary, tables: Tables, tmp_path: Path
) -> None:
    """Log lines beyond 32 bits, and the last but one of two billion starts of hosts: claims, retries, logs and the stop work."""
    async with application.ops:
        await number_from(tables)
        flaky = await application.flaky.options(retries=2, backoff=0.01).submit("flaky", 2)
        held = await application.hold.submit("held")
        with HostProcess(tables.url, tmp_path, workers=2, stop_grace=0.1, kill_after=0.2) as host:
            await host.ready()
            assert host.id == LAST_HOST
            assert await flaky.result(20) == 3
            assert await tables.column(f"select id from opwright.operationstatus where operation = {flaky.id}") == [
                BEYOND,
                BEYOND + 1,
            ]
            assert len([update async for update in flaky.follow()]) >= 2
            await diary.wait("start", "held")
            assert await held.cancel()
            host.terminate()
            assert await host.ended() == 0
        assert await held.status() in {Status.CANCELLED, Status.PENDING}
        assert await tables.count("claimed") == 0


async def number_from(tables: Tables) -> None:
    """As if so many had been there before."""
    if tables.is_sqlite:
        await tables.rows(
            f"insert into opwright.operationstatus (id, operation, at, attempt, kind, text) values ({BEYOND - 1}, 1, 1, 1, 3, '')"
        )
        await tables.rows(f"insert into sqlite_sequence (name, seq) values ('opwright_hosts', {LAST_HOST - 1})")
    else:
        await tables.rows(f"alter table opwright.operationstatus alter column id restart with {BEYOND}")
        await tables.rows(f"alter table opwright.hosts alter column id restart with {LAST_HOST}")


@pytest.mark.fault("F42")
def test_no_statement_narrows_a_number_to_32_bits() -> None:
    """No cast, and no array, of a type that ids outgrow."""
    folder = resources.files("opwright.store") / "sql"
    texts = {f"{kind.name}/{file.name}": file.read_text() for kind in folder.iterdir() for file in kind.iterdir()}
    narrow = re.compile(r"::\s*int|\bas int(?:eger|[248])?\s*\)|\bint(?:eger|4)?\s*\[", re.IGNORECASE)
    on_postgresql = {name: text for name, text in texts.items() if not name.startswith("sqlite/")}  # there an integer has 64 bits
    assert {name: found for name, text in on_postgresql.items() if (found := narrow.findall(text))} == {}
    columns = {name for text in on_postgresql.values() for name in re.findall(r"\b(\w+) integer\b", text)}
    assert columns <= {"c", "n", "v", "w"}, "of a lane the capacity, of remarks the order, of waits the count, of workers the pid"
    assert len(texts) > 8

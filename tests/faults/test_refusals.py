"""A database that refuses single rows or whole statements for a while, and rows that somebody deletes."""

import asyncio
import signal
from pathlib import Path

import pytest

from opwright import Status
from opwright.clock import SystemClock
from opwright.scheduler.housekeeping import BATCH, Housekeeping
from opwright.telemetry import recorded
from tests.faults.kit import DISK, LEASE, check_nothing_is_lost, ended, refuse, relent, short
from tests.faults.unruly import Unruly
from tests.kit.diary import Diary
from tests.kit.processes import HostProcess
from tests.kit.tables import ALIVE, Tables
from tests.kit.waiting import eventually, stays

slow = pytest.mark.slow
FIRST = 1_000  # ids of operations that a test makes by hand


def failures(host: HostProcess, service: str) -> int:
    """How often a step of a service has failed."""
    return len([event for event in host.events("service.failed") if event.fields["service"] == service])


@pytest.mark.fault("F8")
@pytest.mark.parametrize(
    ("gone", "failing"),
    [
        ("everything", False),
        pytest.param("everything", True, marks=slow),
        pytest.param("record", False, marks=slow),
        ("record", True),
    ],
)
async def test_an_operation_that_is_deleted_while_it_runs_disturbs_nobody(
    unruly: Unruly, diary: Diary, tables: Tables, tmp_path: Path, gone: str, *, failing: bool
) -> None:  # F8
    """Its claim and its record, or its record alone: its end lands nowhere or on nobody, and its host goes on."""
    async with unruly.ops:
        with short(tables.url, tmp_path) as host:
            await host.ready()
            deleted = await unruly.zombie.options(retries=1, backoff=0.0).submit("deleted", "fails" if failing else "succeeds")
            await diary.wait("start", "deleted")
            await tables.rows(f"delete from opwright.operations where id = {deleted.id}")
            if gone == "everything":
                await tables.rows(f"delete from opwright.claimed where operation = {deleted.id}")
            diary.release("deleted")
            await diary.wait("end", "deleted")
            neighbours = await unruly.double.submit_many([(number,) for number in range(20)])
            assert await asyncio.gather(*(one.result(20) for one in neighbours)) == [2 * number for number in range(20)]
            assert await tables.hosts() == {host.id: ALIVE}
            assert host.events("service.failed") == []
            assert len(diary.lines("start", "deleted")) == 1


@pytest.mark.fault("F9")
async def test_an_end_that_cannot_be_written_is_kept_until_it_can(
    unruly: Unruly, diary: Diary, tables: Tables, tmp_path: Path
) -> None:  # F9
    """The statement of the ends fails for a while, all else works: nothing is run again, and nothing stays claimed."""
    async with unruly.ops:
        with short(tables.url, tmp_path) as host:
            await host.ready()
            operation = await unruly.hold.submit("kept")
            await diary.wait("start", "kept")
            await refuse(tables, "insert on outcomes", "new.operation > 0", DISK)
            diary.release("kept")
            await eventually(lambda: failures(host, "settler") >= 3, 20, "the end was refused three times")
            assert await operation.status() is Status.PROCESSING
            assert failures(host, "lease") == 0
            await relent(tables, "outcomes")
            assert await operation.result(20) == diary.pids("kept")[0]
    assert await tables.attempts() == {(1, 1): 1}
    await check_nothing_is_lost(tables)


@slow
@pytest.mark.timeout(120)
@pytest.mark.fault("F9")
async def test_an_end_that_the_database_will_not_have_in_any_form_is_tried_again(
    unruly: Unruly, diary: Diary, tables: Tables, tmp_path: Path
) -> None:  # F9
    """Neither the success nor the failure that says so is taken: it does not stay claimed for as long as its host lives.

    On PostgreSQL a check constraint refuses them, whose error tells the row with its time, so another text at each attempt.
    """
    async with unruly.ops:
        with short(tables.url, tmp_path) as host:
            await host.ready()
            operation = await unruly.hold.submit("refused")
            await diary.wait("start", "refused")
            if tables.is_sqlite:
                await refuse(tables, "insert on outcomes", f"new.operation = {operation.id}")
            else:
                await tables.rows(f"alter table opwright.outcomes add constraint refusal check (operation <> {operation.id})")
            diary.release("refused")
            await host.until(lambda: "the database refused to store how it ended" in host.log(), "told of it")
            assert await (await unruly.double.submit(1)).result(20) == 2
            assert await operation.status() is Status.PROCESSING
            if tables.is_sqlite:
                await relent(tables, "outcomes")
            else:
                await tables.rows("alter table opwright.outcomes drop constraint refusal")
            await ended(tables, 2, 60)
            assert await operation.status() is Status.FAILED
            assert failures(host, "settler") == 0
    assert len(diary.lines("start", "refused")) == 1
    await check_nothing_is_lost(tables)


async def dead_hosts_claims(tables: Tables, count: int) -> None:
    """So many operations that a dead host had claimed; made by hand, because none is to be run first."""
    await tables.rows(
        "insert into opwright.hosts (name, pid, version, state, started, renewed, lease, triggers) "
        "values ('dead', 1, '1', 2, 1, 1, 1, '[]')"
    )
    dead = await tables.value("select max(id) from opwright.hosts")
    numbers = f"with recursive n (i) as (select {FIRST} union all select i + 1 from n where i < {FIRST + count - 1}) "
    operations = "insert into opwright.operations (id, created, priority, trigger, queue, inputs) "
    await tables.rows(f"{operations}{numbers}select i, 1, 0, 'double', 'default', '{{\"number\": 1}}' from n")
    claims = "insert into opwright.claimed (operation, token, host, errors, deaths, ahead) "
    await tables.rows(f"{claims}{numbers}select i, i, {dead}, 0, 0, false from n")


@pytest.mark.fault("F15", "F16")
async def test_a_batch_that_cannot_be_rescued_hides_none_behind_it(unruly: Unruly, tables: Tables) -> None:  # F15, F16
    """More bad rows than one batch holds stand before the good ones: all good ones are rescued in one look."""
    bad, good = BATCH + 50, 30
    async with unruly.ops:
        store = await unruly.ops.client.store()
        await dead_hosts_claims(tables, bad + good)
        await refuse(tables, "insert on ready", f"new.operation < {FIRST + bad}")
        housekeeping = Housekeeping(
            store.queue, store.hosts, SystemClock(), host=lambda: 0, leftover=lambda: False, unknown_after=60
        )
        with recorded() as events:
            assert await housekeeping.take_over() == good
        assert len([name for name, _ in events if name == "takeover.refused"]) == bad
        assert await tables.column("select operation from opwright.ready order by operation") == [
            *range(FIRST + bad, FIRST + bad + good)
        ]
        await relent(tables, "ready")
        assert await housekeeping.take_over() == bad
        assert await tables.counts() | {"hosts": 0} == {
            "operations": bad + good, "ready": bad + good, "operationstatus": bad + good, "hosts": 0
        }  # fmt: skip
        await check_nothing_is_lost(tables)


@slow
@pytest.mark.fault("F16")
async def test_one_row_that_cannot_be_rescued_wedges_no_rescue(
    unruly: Unruly, diary: Diary, tables: Tables, tmp_path: Path
) -> None:  # F16
    """A host is killed; the database will not have one of its operations back. The other runs again at once, that one later."""
    async with unruly.ops:
        with short(tables.url, tmp_path, "doomed", workers=2) as doomed:
            await doomed.ready()
            bad, good = await unruly.hold.submit("bad"), await unruly.hold.submit("good")
            await diary.wait("start", "bad")
            await diary.wait("start", "good")
            await refuse(tables, "insert on ready", f"new.operation = {bad.id}")
            with short(tables.url, tmp_path, "heir") as heir:
                await heir.ready()
                doomed.kill()
                await heir.event("takeover.refused", seconds=20)
                diary.release("good")
                assert await good.result(20) in heir.children()
                assert heir.log().count("cannot be taken over") == 1
                await relent(tables, "ready")
                await diary.wait("start", "bad", 2, seconds=20)
                diary.release("bad")
                assert await bad.result(20) in heir.children()
                assert heir.events("service.failed") == []
    await check_nothing_is_lost(tables)


@pytest.mark.fault("F17")
@pytest.mark.parametrize("then", ["lives", pytest.param("dies", marks=slow)])
async def test_a_host_whose_row_is_deleted_loses_no_operation(
    unruly: Unruly, diary: Diary, tables: Tables, tmp_path: Path, then: str
) -> None:  # F17
    """Alive, it finds that at its next renewal, drops what it holds, registers anew and runs it again. Dead, another host does.

    What it had claimed stands in the name of a host that is in no table, so no renewal tells of it.
    """
    async with unruly.ops:
        with short(tables.url, tmp_path, "pruned") as pruned:
            await pruned.ready()
            operation = await unruly.hold.submit("held")
            before = await diary.wait("start", "held")
            old = pruned.id
            if then == "dies":
                pruned.kill()
            await tables.rows(f"delete from opwright.hosts where id = {old}")
            if then == "lives":
                again = await diary.wait("start", "held", 2, seconds=20)
                assert pruned.id != old
                assert await tables.hosts() == {pruned.id: ALIVE}
                assert [again.pid] == pruned.children() != [before.pid]
            else:
                async with unruly.ops.host(pool="inline", lease=LEASE, renew=0.4) as heir:
                    heir._housekeeping.hasten()  # what it does once a minute
                    await diary.wait("start", "held", 2, seconds=20)
                    diary.release("held")
                    await operation.result(20)
            diary.release("held")
            await operation.result(20)
    assert await tables.attempts() == {(1, 2): 1}
    await check_nothing_is_lost(tables)


@slow
@pytest.mark.fault("F18")
async def test_a_host_that_cannot_renew_stops_to_claim_until_it_can(
    unruly: Unruly, diary: Diary, tables: Tables, tmp_path: Path
) -> None:  # F18
    """Its renewals are refused, all else works: past its lease it begins nothing, and with the next renewal it goes on."""
    async with unruly.ops:
        with short(tables.url, tmp_path) as host:
            await host.ready()
            await refuse(tables, "update on hosts", "new.id > 0", DISK)
            await eventually(lambda: failures(host, "lease") >= 2, 20, "two renewals were refused")
            age = f"select {_now(tables)} - renewed from opwright.hosts"

            async def lapsed() -> bool:
                return bool(await tables.value(age) > LEASE * 1e6)

            await eventually(lapsed, 20, "the lease is over")
            waiting = await unruly.note.submit("waiting")
            await stays(lambda: not diary.lines("start"), 1.5)
            assert await waiting.status() is Status.PENDING
            assert await tables.counts() == {"operations": 1, "ready": 1, "hosts": 1}
            await relent(tables, "hosts")
            await waiting.result(20)
            assert await tables.hosts() == {host.id: ALIVE}
            assert len(host.events("host.registered")) == 1
            host.signal(signal.SIGTERM)
            assert await host.ended() == 0
    await check_nothing_is_lost(tables)


def _now(tables: Tables) -> str:
    if tables.is_sqlite:
        return "cast((julianday('now') - 2440587.5) * 86400000000 as integer)"
    return "cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)"

"""What runs too long, grows too large, or kills its worker each time, in real processes."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from opwright import Host, OperationFailed
from tests.kit.diary import FOLDER, Diary
from tests.kit.frail import Frail
from tests.kit.processes import HostProcess, is_alive
from tests.kit.tables import ALIVE, DEATH, Tables
from tests.kit.waiting import eventually, stays

ERROR = 1  # the kind of a line in operationstatus
SECONDS = 30.0  # that something may take on a busy machine


@pytest.fixture
def frail(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Frail:
    """The application whose triggers run too long; worker processes find the same one."""
    monkeypatch.setenv("OPWRIGHT_URL", database_url)
    monkeypatch.setenv(FOLDER, str(tmp_path))
    return Frail(database_url)


async def heated(host: Host) -> set[int]:
    """The pids of the workers, once every one is ready."""
    await eventually(lambda: not host.pending() and host.workers(), SECONDS, "every worker is heated")
    return {worker.pid or 0 for worker in host.workers()}


async def test_a_silent_operation_is_ended_and_retried(frail: Frail, diary: Diary, tables: Tables) -> None:
    """It does not obey when it is asked: its process is gone before it runs again, and it is charged a retry."""
    async with frail.ops.host(workers=1, maximum_processing=1.0, kill_after=0.2) as host:
        await heated(host)
        silent = await frail.stubborn.options(retries=1, backoff=0, recoveries=0).submit("silent")
        first = (await diary.wait("start", "silent", seconds=SECONDS)).pid
        second = (await diary.wait("start", "silent", 2, seconds=SECONDS)).pid
        assert not is_alive(first)
        diary.release("silent", second)
        assert await silent.result(SECONDS) == second
    ((kind, text),) = await tables.notes(silent.id)
    assert kind == ERROR
    assert text.startswith("OperationExpired: it ran for 1 s (the setting maximum_processing)")
    assert await tables.attempts() == {(1, 2): 1}


async def test_a_silent_operation_without_retries_ends_failed(frail: Frail, diary: Diary) -> None:
    """Also one that holds the interpreter, so that nothing in its process can hear; and the worker is replaced."""
    async with frail.ops.host(workers=1, maximum_processing=1.0, kill_after=0.2) as host:
        await heated(host)
        silent = await frail.deaf.submit("deaf", 600)
        with pytest.raises(OperationFailed, match=r"OperationExpired: .*operation\.touch\(\)"):
            await silent.result(SECONDS)
        assert not is_alive(diary.pids("deaf")[0])
        assert await (await frail.whoami.submit()).result(SECONDS) in await heated(host)


async def test_a_silent_operation_of_the_inline_pool_is_cancelled(frail: Frail, diary: Diary) -> None:
    """The same rule, as far as it goes: its task is cancelled, and its neighbour is left alone."""
    async with frail.ops.host(pool="inline", slots=2, maximum_processing=1.0):
        neighbour = await frail.breathe_too.submit("neighbour")
        silent = await frail.linger.submit("silent")
        with pytest.raises(OperationFailed, match="OperationExpired"):
            await silent.result(SECONDS)
        await diary.wait("cancelled", "silent")
        diary.release("neighbour")
        assert await neighbour.result(SECONDS) == os.getpid()


async def test_a_long_operation_that_gives_signs_of_life_is_never_ended(frail: Frail, diary: Diary, tables: Tables) -> None:
    """A touch or progress, sync or async: past its maximum and its worker's it runs once; without a timeout too."""
    async with frail.ops.host(workers=2, maximum_processing=3.0, worker_maximum=3.5, kill_after=0.2) as host:
        workers = await heated(host)
        long = [await frail.breathe.submit("sync"), await frail.breathe_too.options(timeout=None).submit("async")]
        await diary.wait("start", "sync", seconds=SECONDS)
        await diary.wait("start", "async", seconds=SECONDS)
        await stays(lambda: {worker.pid for worker in host.active()} == workers, 9.0)
        diary.release("sync")
        diary.release("async")
        assert {await one.result(SECONDS) for one in long} == workers
    assert await tables.attempts() == {(1, 1): 2}


async def test_a_worker_past_its_time_is_killed_and_replaced(frail: Frail, diary: Diary) -> None:
    """Its operation is charged a recovery, of which it has none; the free worker beside it is never past its time."""
    async with frail.ops.host(workers=2, worker_maximum=1.0) as host:
        before = await heated(host)
        held = await frail.hold.options(retries=5, recoveries=0).submit("held")
        with pytest.raises(OperationFailed, match=r"its worker died once; .*SIGKILL.* worker_maximum allows 1 s"):
            await held.result(SECONDS)
        (victim,) = diary.pids("held")
        assert not is_alive(victim)
        await eventually(lambda: len(host.workers()) == 2 and not host.pending(), SECONDS, "the configured number is there again")
        assert before - {victim} <= {worker.pid for worker in host.workers()}, "a free worker was ended"


@pytest.mark.parametrize(
    ("way", "inputs", "words"),
    [
        ("segfault", (), "SIGSEGV"),
        ("leave", (), "exited with code 3"),
        ("swell", (400,), "MiB of memory; worker_megabytes allows 200 MiB"),
    ],
    ids=["segfault", "exit", "memory"],
)
async def test_an_operation_that_takes_its_worker_along_ends_failed_alone(  # noqa: PLR0917 - pytest hands over by name
    frail: Frail, diary: Diary, tables: Tables, way: str, inputs: tuple[int, ...], words: str
) -> None:
    """After three recoveries; a crash, an exit, too much memory. What ran or waited beside it keeps its budgets."""
    async with frail.ops.host(workers=2, worker_megabytes=200) as host:
        await heated(host)
        neighbour = await frail.hold.submit("neighbour")
        await diary.wait("start", "neighbour", seconds=SECONDS)
        poison = await getattr(frail, way).submit("poison", *inputs)
        others = await frail.double.submit_many([(number,) for number in range(50)])
        with pytest.raises(OperationFailed, match=f"its worker died 4 times; the last time: .*{words}"):
            await poison.result(4 * SECONDS)
        assert len(set(diary.pids("poison"))) == 4
        assert [await one.result(SECONDS) for one in others] == [2 * number for number in range(50)]
        diary.release("neighbour")
        assert [await neighbour.result(SECONDS)] == diary.pids("neighbour")
    assert [kind for kind, _ in await tables.notes(poison.id)] == [DEATH] * 3
    assert await tables.attempts() == {(1, 1): 51, (2, 4): 1}


async def test_a_machine_that_was_paused_ends_nothing(frail: Frail, diary: Diary, tables: Tables, tmp_path: Path) -> None:
    """Host and workers stood still past the lease and past every maximum: nobody took over, so all goes on as before."""
    settings = {"workers": 1, "lease": 1.5, "renew": 0.4, "maximum_processing": 3.0, "worker_maximum": 3.0}
    async with frail.ops:
        with HostProcess(tables.url, tmp_path, module=frail.module, **settings) as host:  # type: ignore[arg-type]
            await host.ready()
            operation = await frail.breathe.submit("through")
            await diary.wait("start", "through", seconds=SECONDS)
            pids = [host.pid, *host.children()]
            paused = asyncio.get_running_loop().time()
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            await eventually(lambda: asyncio.get_running_loop().time() - paused > 5, 10, "the pause is longer than any limit")
            for pid in reversed(pids):
                os.kill(pid, signal.SIGCONT)
            again = await frail.whoami.submit()
            diary.release("through")
            assert [await operation.result(SECONDS), await again.result(SECONDS)] == pids[1:] * 2
            assert await tables.hosts() == {host.id: ALIVE}
            assert len(host.events("host.registered")) == 1
    assert await tables.attempts() == {(1, 1): 2}


async def test_what_runs_for_long_is_written_down_with_its_last_sign_of_life(frail: Frail, diary: Diary, tables: Tables) -> None:
    """At each renewal, so that people and other hosts can see it; what is short is not."""
    async with frail.ops.host(pool="inline", renew=0.2, lease=1.0) as host:
        long = await frail.breathe_too.submit("long")

        async def signs() -> list[tuple[int, int]]:
            rows = await tables.rows(
                f"select begun, updated from opwright.claimed where operation = {long.id} and begun is not null"
            )
            return [(begun, updated) for begun, updated in rows if updated > begun]

        ((begun, first),) = await eventually(signs, SECONDS, "its begin and a sign of life are written down")

        async def moved() -> bool:
            ((same, later),) = await signs()
            assert same == begun
            return later > first

        await eventually(moved, SECONDS, "the next sign of life is written down")
        diary.release("long")
        assert await long.result(SECONDS) == os.getpid()
        assert host.active() == ()

"""Other systems are run by their own programs, named in one table with their settings, and told when they are left out."""

import io
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from rich.console import Console

from benchmarks.__main__ import main
from benchmarks.bench import Bench
from benchmarks.figures import Figure, Measure, chosen, rate
from benchmarks.patience import until
from benchmarks.peers.environments import ROOT, Unavailable
from benchmarks.peers.peer import Peer
from benchmarks.peers.running import Program, ProgramFailed
from benchmarks.peers.table import BY_NAME, PEERS
from benchmarks.report import settings
from benchmarks.session import Session

JOBS = 2500


@pytest.fixture
def program(tmp_path: Path) -> Program:
    journal = tmp_path / "journal"
    journal.touch()
    told = {"PEER_URL": str(tmp_path / "queue"), "PEER_JOURNAL": str(journal), "PEER_SETTINGS": "{}", "PYTHONPATH": str(ROOT)}
    command = (sys.executable, "-m", "tests.benchmarks.counting")
    peer = replace(PEERS[0], name="counting")
    return Program(peer, told["PEER_URL"], command, {**os.environ, **told}, journal, tmp_path)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return Session.begin(Bench(quick=True, rounds=1), Console(file=io.StringIO()), tmp_path, {})


async def test_a_program_fills_its_queue_and_tells_the_first_and_the_last_of_its_jobs(program: Program) -> None:
    await program.step("set-up")
    assert await program.step("fill", JOBS) > 0
    async with program.working(JOBS):
        await until(lambda: len(program.told()) == 2, seconds=60, what="the last job")
    (first, begun), (last, ended) = program.told()
    assert (first, last) == ("first", "last")
    assert begun < ended


async def test_a_step_gives_back_what_it_has_opened(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """What hears of no cancellation would keep it from ending, long after it was measured."""
    monkeypatch.setattr("benchmarks.peers.running.STEP", 10)
    for step in ("set-up", "fill", "one-by-one", "samples"):
        await program.step(step, 1)


async def test_a_worker_tells_of_each_job_when_none_are_counted(program: Program) -> None:
    await program.step("set-up")
    samples = await program.step("samples", 3)
    async with program.working():
        await until(lambda: len(program.told()) == 4, seconds=60, what="all jobs")
    assert [number for number, _, _ in samples] == [0, 1, 2]
    assert [label for label, _ in program.told()] == ["-1", "0", "1", "2"]


async def test_the_last_job_is_not_told_before_all_have_run(program: Program) -> None:
    await program.step("set-up")
    await program.step("fill", JOBS)
    async with program.working(JOBS + 1) as worker:
        await worker.wait()
    assert [label for label, _ in program.told()] == ["first"]


async def test_a_worker_ends_with_the_block_that_holds_it(program: Program) -> None:
    await program.step("set-up")
    program.environment["PEER_SETTINGS"] = '{"stays": true}'
    async with program.working() as worker:
        assert psutil.pid_exists(worker.pid)
    assert not psutil.pid_exists(worker.pid)


async def test_a_worker_ends_when_the_benchmark_is_gone(program: Program) -> None:
    await program.step("set-up")
    program.environment["PEER_SETTINGS"] = '{"stays": true}'
    async with program.working() as worker:
        assert worker.stdin
        worker.stdin.close()  # as the kernel does when the benchmark is killed
        assert await worker.wait() == -signal.SIGKILL


async def test_a_program_that_fails_is_quoted(program: Program) -> None:
    program.environment["PEER_SETTINGS"] = '{"broken": true}'
    with pytest.raises(ProgramFailed, match=r"fill of counting: .*the server is not there"):
        await program.step("fill", 1)


async def test_what_is_waited_for_in_vain_is_told_with_the_last_words_of_the_worker(program: Program) -> None:
    async def wait_in_vain() -> None:
        async with program.working() as worker:  # there is no queue yet
            await worker.wait()
            await until(lambda: False, seconds=1, what="rain")

    with pytest.raises(ProgramFailed, match=r"waited 1 s for rain; its worker said: .*FileNotFoundError"):
        await wait_in_vain()


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_peer_has_a_program_and_its_row_of_settings_in_the_documentation(peer: Peer) -> None:
    suffix = "mjs" if peer.runtime == "node" else "py"
    assert (ROOT / "benchmarks" / "peers" / "programs" / f"{peer.name}.{suffix}").is_file()
    (row,) = (line for line in settings().splitlines() if peer.page in line)
    assert row in (ROOT / "docs" / "performance.md").read_text()


def test_every_peer_is_listed() -> None:
    listed = CliRunner().invoke(main, ["--list"]).output.split()
    assert {f"drain.{peer.name}" for peer in PEERS} < set(listed)


def test_peers_are_chosen_by_name() -> None:
    of = {one.peer for one in chosen(["drain"], ["graphile", "oban"])}
    assert of == {None, "graphile", "oban"}
    assert {one.peer for one in chosen([], ())} == {None}
    assert {one.peer for one in chosen([], BY_NAME)} == {None, *BY_NAME}


def test_what_cannot_be_installed_is_left_out_with_its_reason_and_the_run_goes_on(session: Session) -> None:
    tried = []

    async def missing(bench: Bench) -> list[Figure]:
        tried.append(bench)
        raise Unavailable("there is no npm here")

    async def works(_: Bench) -> list[Figure]:
        return [rate("drain.other", 1.0)]

    absent = [Measure(missing, (name,), (), once=False, peer="graphile") for name in ("drain.graphile", "pickup.graphile")]
    session.measure([*absent, Measure(works, ("drain.other",), (), once=False, peer="other")])

    assert len(tried) == 1
    assert session.left_out == {"graphile": "there is no npm here"}
    assert list(session.figures) == ["drain.other"]
    assert not session.failed


@pytest.mark.parametrize(("peer", "failed"), [("graphile", False), (None, True)])
def test_a_failure_ends_no_run_but_counts_where_it_is_opwrights(session: Session, peer: str | None, *, failed: bool) -> None:
    async def fails(_: Bench) -> list[Figure]:
        raise ProgramFailed("drain: it said no")

    session.measure([Measure(fails, ("drain.one",), (), once=False, peer=peer)])
    assert session.left_out == {"drain.one": "ProgramFailed: drain: it said no"}
    assert session.failed == failed

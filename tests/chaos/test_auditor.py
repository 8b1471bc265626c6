"""The auditor finds what is wrong: each wrong world fails the one promise that it breaks, and no other."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from opwright import Opwright
from tests.chaos.auditor import CHECKS, verdict
from tests.chaos.journal import COMMITTED, INTENDS, ROLLED_BACK, Entry, Journal, Submitted
from tests.chaos.ledger import TABLES
from tests.chaos.world import Effect, Order, Outcome, Trace, World
from tests.kit.processes import ROOT

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
KINDS = {
    1: "charge",
    2: "note",
    3: "hopeless",
    4: "recalled",
    5: "parent",
    6: "handed",
    7: "bill",
    8: "bill",
    9: "keyed",
    10: "keyed",
}
CHILDREN, HAND_BACK, UNDONE, UNANSWERED, LOST = (50, 51), 60, 90, 91, 92


def at(operation: int, seconds: float = 0.0) -> datetime:
    return NOON + timedelta(minutes=operation, seconds=seconds)


def right() -> World:
    """A world without a fault: one of each kind, a rollback, and two COMMITs without an answer, of which one came through."""
    world = World(left={place: [] for place in ("claimed", "ready")})
    for one, kind in {**KINDS, UNANSWERED: "charge"}.items():
        world.orders.append(Order(f"0-{one}", one, kind, 7, at(one, -1)))
        world.journal.append(Entry(INTENDS, f"0-{one}", (Submitted(one, kind),)))
    world.journal += [Entry(COMMITTED, f"0-{one}") for one in KINDS]
    world.journal += [Entry(INTENDS, f"0-{UNDONE}", (Submitted(UNDONE, "charge"),)), Entry(ROLLED_BACK, f"0-{UNDONE}")]
    world.journal += [Entry(INTENDS, f"0-{LOST}", (Submitted(LOST, "charge"),))]
    for one, kind in {**KINDS, UNANSWERED: "charge", **dict.fromkeys(CHILDREN, "child")}.items():
        attempt = 2 if one == 1 else 1
        world.traces += [Trace(one, kind, number, 100 * one + number, at(one, number)) for number in range(1, attempt + 1)]
        if kind not in {"note", "hopeless"}:
            world.effects.append(Effect(one, attempt, 100 * one + attempt, at(one, 10)))
        status = 2 if kind == "hopeless" else 1
        world.outcomes[one] = Outcome(status, attempt, 100 * one + attempt if status == 1 else None)
    world.children = [(5, child) for child in CHILDREN]
    world.returns = [(6, HAND_BACK)]
    world.outcomes[HAND_BACK] = Outcome(1, 1, None)
    world.recorded = set(world.outcomes)
    return world


def broken(world: World) -> set[str]:
    """The promises that the auditor says are broken."""
    lines, holds = verdict(world)
    failed = {line.removeprefix("FAIL").strip().rpartition(":")[0] for line in lines if line.startswith("FAIL")}
    assert holds == (not failed)
    return failed


def committed_gone(world: World) -> None:
    world.orders.remove(world.orders[1])


def rolled_back_kept(world: World) -> None:
    world.orders.append(Order(f"0-{UNDONE}", UNDONE, "charge", 1, NOON))


def missing(world: World) -> None:
    del world.outcomes[2]


def missing_unanswered(world: World) -> None:
    """Nobody was told that it was committed, but its row is there."""
    del world.outcomes[UNANSWERED]
    world.effects = [effect for effect in world.effects if effect.operation != UNANSWERED]


def failed_for_no_reason(world: World) -> None:
    world.outcomes[2] = Outcome(2, 1, None)


def rollback_ran(world: World) -> None:
    world.traces.append(Trace(UNDONE, "charge", 1, 1, NOON))


def lost_commit_ran(world: World) -> None:
    world.effects.append(Effect(LOST, 1, 1, NOON))


def stranger_ran(world: World) -> None:
    world.traces.append(Trace(777, "charge", 1, 1, NOON))


def never_ran(world: World) -> None:
    world.traces = [trace for trace in world.traces if trace.operation != 2]


def effect_doubled(world: World) -> None:
    world.effects.append(world.effects[0])


def effect_lost(world: World) -> None:
    del world.effects[0]


def effect_of_what_failed(world: World) -> None:
    world.outcomes[4] = Outcome(3, 1, 401)


def stale_result(world: World) -> None:
    world.traces.append(Trace(2, "note", 2, 202, at(2, 5)))


def stale_failure(world: World) -> None:
    world.traces.append(Trace(3, "hopeless", 2, 302, at(3, 5)))


def stale_effect(world: World) -> None:
    world.effects[0] = world.effects[0]._replace(attempt=1, token=101)


def child_doubled(world: World) -> None:
    world.children.append((5, 50))


def handed_back_twice(world: World) -> None:
    world.returns.append((6, HAND_BACK))


def handed_back_never(world: World) -> None:
    world.returns.clear()
    world.outcomes.pop(HAND_BACK)
    world.recorded.discard(HAND_BACK)


def limit_broken(world: World) -> None:
    world.effects = [effect._replace(at=at(8, 5)) if effect.operation == 7 else effect for effect in world.effects]


def key_broken(world: World) -> None:
    world.effects = [effect._replace(at=at(10)) if effect.operation == 9 else effect for effect in world.effects]


def claim_left(world: World) -> None:
    world.left["claimed"].append(1)


def process_left(world: World) -> None:
    world.processes.append("4711 python -m opwright")


WRONG: dict[Callable[[World], None], str] = {
    committed_gone: "the database and the journals agree on what was committed",
    rolled_back_kept: "the database and the journals agree on what was committed",
    missing: "every committed operation has ended",
    failed_for_no_reason: "each has ended as it had to",
    missing_unanswered: "every committed operation has ended",
    rollback_ran: "nothing that was rolled back has run",
    lost_commit_ran: "nothing that was rolled back has run",
    stranger_ran: "nothing has run that nobody committed",
    never_ran: "every operation has run",
    effect_doubled: "every effect is there exactly once",
    effect_lost: "every effect is there exactly once",
    effect_of_what_failed: "every effect is there exactly once",
    stale_result: "nothing stale has landed",
    stale_failure: "nothing stale has landed",
    stale_effect: "nothing stale has landed",
    child_doubled: "every parent has its children, and nobody else's",
    handed_back_twice: "every operation of a submitter was handed back exactly once",
    handed_back_never: "every operation of a submitter was handed back exactly once",
    limit_broken: "never two of a customer at a time",
    key_broken: "never two alive with the same key",
    claim_left: "no claim is left, nor anything else that waits",
    process_left: "no process is left",
}


def test_a_right_world_passes() -> None:
    assert broken(right()) == set()


@pytest.mark.parametrize("spoil", WRONG, ids=lambda spoil: spoil.__name__)
def test_a_wrong_world_fails_the_promise_that_it_breaks(spoil: Callable[[World], None]) -> None:
    world = right()
    spoil(world)
    assert broken(world) == {WRONG[spoil]}


def test_every_promise_can_be_seen_broken() -> None:
    assert set(WRONG.values()) == set(CHECKS)


def test_the_auditor_knows_nothing_of_opwright() -> None:
    code = "import sys, tests.chaos.auditor; sys.exit(any(name.split('.')[0] == 'opwright' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def audit(url: str, folder: Path, marker: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.chaos.auditor", url, str(folder), marker]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@contextmanager
def orphan_with(name: str, value: str) -> Iterator[int]:
    """A process that has this in its environment."""
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=os.environ | {name: value}) as orphan:
        yield orphan.pid
        orphan.communicate(b"\n")


async def test_the_program_reads_database_journals_and_processes(postgres_database: str, tmp_path: Path) -> None:
    """Nothing was done: PASS. An operation in the journal that nobody knows, a claim, and a process: three FAIL, exit code 1."""
    marker = f"OPWRIGHT_TEST_FOLDER={tmp_path}"
    async with Opwright(postgres_database):
        pass
    connection = await asyncpg.connect(postgres_database)
    try:
        for statement in TABLES:
            await connection.execute(statement)
        clean = audit(postgres_database, tmp_path, marker)
        assert (clean.returncode, clean.stdout.count("PASS"), clean.stderr) == (0, len(CHECKS), "")

        journal = Journal(tmp_path / "0.journal")
        journal.write(INTENDS, "0-1", [Submitted(1, "charge")])
        journal.write(COMMITTED, "0-1")
        await connection.execute("insert into orders values ('0-1', 1, 'charge', 1)")
        await connection.execute("insert into opwright.claimed values (1, 1, 1, 0, 0, false)")
        with orphan_with(*marker.split("=")) as orphan:
            dirty = audit(postgres_database, tmp_path, marker)
    finally:
        await connection.close()
    assert dirty.returncode == 1
    failed = [line for line in dirty.stdout.splitlines() if line.startswith("FAIL")]
    assert failed == [
        "FAIL  every committed operation has ended: 1",
        "FAIL  no claim is left, nor anything else that waits: 1",
        "FAIL  no process is left: 1",
    ]
    assert "charge 1 has not ended" in dirty.stdout
    assert f"{orphan} " in dirty.stdout

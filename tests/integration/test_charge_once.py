"""An operation that ends in a transaction of its own has its effect exactly once, whenever and however often it is killed."""

import os
import random
from pathlib import Path

import pytest

from tests.kit.crew import Crew
from tests.kit.diary import Diary
from tests.kit.tables import Tables
from tests.kit.trade import Charge, Trade
from tests.kit.waiting import eventually

MANY = 1_000  # operations
KILLS = int(os.environ.get("OPWRIGHT_TEST_KILLS", "60"))  # a start of a worker costs 0.3 s of CPU, so a thousand take minutes
PATIENCE = 120 + 2 * KILLS  # seconds


async def charge_all(trade: Trade, name: str, tables: Tables, folder: Path, seed: int, *, count: int, kills: int) -> None:
    """Charge so many cards; of the first ``kills`` operations each is killed at least once, and two whole hosts are."""
    trigger = trade.ops.registry.get(name).options(recoveries=MANY)
    chance = random.Random(seed)
    cards = [(number, seed if number <= kills else 0) for number in range(1, count + 1)]
    handles = await trigger.submit_many([(Charge(*card),) for card in cards] if name == "charge_by_command" else cards)
    async with Crew(tables.url, folder) as crew:
        for share in (3, 2):
            await ended(tables, count // share)
            await crew.kill_host(chance)
        await ended(tables, count)
    await check_each_was_charged_once(tables, count)
    assert [await handle.result(5) for handle in handles] == [2 * number for number in range(1, count + 1)]
    check_it_was_dangerous(Diary(folder), kills)


def check_it_was_dangerous(diary: Diary, kills: int) -> None:
    """Each of the first operations had a doom; several may have met in one process, and of a few the moment never came."""
    doomed, killed = ({line.name for line in diary.lines(event)} for event in ("doomed", "killed"))
    assert len(diary.lines("doomed")) >= kills
    assert len(doomed & killed) >= 0.9 * len(doomed)


async def ended(tables: Tables, count: int) -> None:
    async def done() -> bool:
        return await tables.count("outcomes") >= count

    await eventually(done, PATIENCE, f"{count} operations have ended")


async def check_each_was_charged_once(tables: Tables, count: int) -> None:
    """As many rows as operations, one of each, and every operation SUCCEEDED."""
    assert sorted(await tables.column("select number from charges")) == list(range(1, count + 1))
    assert {status for status, _ in await tables.attempts()} == {1}
    assert await tables.count("claimed") == await tables.count("ready") == 0


@pytest.mark.slow
@pytest.mark.timeout(2 * PATIENCE)
@pytest.mark.parametrize(
    ("name", "count", "kills"),
    [("charge", MANY, KILLS), ("charge_plainly", MANY // 4, KILLS // 4), ("charge_by_command", MANY // 4, KILLS // 4)],
)
async def test_a_card_is_charged_once_whatever_is_killed(  # noqa: PLR0917 - pytest hands over by name
    trade: Trade, tables: Tables, tmp_path: Path, seed: int, name: str, count: int, kills: int
) -> None:
    """A thousand operations, random kills of their workers and of two hosts: exactly a thousand charges."""
    await charge_all(trade, name, tables, tmp_path, seed, count=count, kills=kills)


@pytest.mark.slow
@pytest.mark.timeout(2 * PATIENCE)
async def test_a_session_of_the_application_commits_charge_and_end_together(
    trade: Trade, tables: Tables, tmp_path: Path, seed: int
) -> None:
    """The same where the application's own session holds both, killed also between the end's row and the commit."""
    await charge_all(trade, "charge_in_session", tables, tmp_path, seed, count=100, kills=KILLS // 4)

"""The switch interval is short exactly while a statement is on its way."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from opwright.clock import SystemClock
from opwright.store.promptness import SOON, Promptness
from opwright.store.sqlite import SqliteEngine

USUAL = 0.004


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(USUAL)
    yield
    sys.setswitchinterval(before)


def interval() -> float:
    return round(sys.getswitchinterval(), 6)


def test_blocks_that_overlap_end_with_what_was_there_before() -> None:
    promptly = Promptness()
    promptly.__enter__()
    promptly.__enter__()
    promptly.__exit__()
    assert interval() == SOON
    promptly.__exit__()
    assert interval() == USUAL


def test_what_an_application_has_made_shorter_stays() -> None:
    sys.setswitchinterval(SOON / 2)
    with Promptness():
        assert interval() == SOON / 2
    assert interval() == SOON / 2


async def test_a_statement_is_prompt_and_leaves_nothing_behind(tmp_path: Path) -> None:
    engine = SqliteEngine(f"sqlite:///{tmp_path / 'prompt.db'}", SystemClock())
    await engine.open()
    try:
        during = await engine._hand_in(engine._writer, lambda connection: interval())
        given_up = asyncio.create_task(engine.run("peek"))
        await asyncio.sleep(0)
        assert (during, interval()) == (SOON, SOON)
        given_up.cancel()
        await asyncio.wait([given_up])
        assert interval() == USUAL
    finally:
        await engine.close()

"""Fixtures of tests with whole processes: the application on an empty database, the folder that its processes share, the tables.

A ``conftest.py`` that imports them gives them to its folder.
"""

import os
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit.application import Application
from tests.kit.diary import FOLDER, Diary
from tests.kit.tables import Tables
from tests.kit.trade import Trade

# Where only one engine makes sense: @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True).


@pytest.fixture
def application(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    """The application; worker processes that this process starts find the same one."""
    monkeypatch.setenv("OPWRIGHT_URL", database_url)
    monkeypatch.setenv(FOLDER, str(tmp_path))
    return Application(database_url)


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    """What the triggers wrote down."""
    return Diary(tmp_path)


@pytest.fixture
def tables(database_url: str) -> Tables:
    """The tables."""
    return Tables(database_url)


@pytest.fixture
async def trade(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Trade]:
    """The shop, open; worker processes find the same one. What is charged twice shows twice, for its table has no key."""
    monkeypatch.setenv("OPWRIGHT_URL", database_url)
    monkeypatch.setenv(FOLDER, str(tmp_path))
    await Tables(database_url).rows("create table charges (number integer)")
    trade = Trade(database_url)
    async with trade.ops:
        yield trade


@pytest.fixture
def seed() -> int:
    """What decides who is killed when. Printed, so that a failure can be had again."""
    seed = int(os.environ.get("OPWRIGHT_TEST_SEED") or random.SystemRandom().getrandbits(32))
    sys.stdout.write(f"OPWRIGHT_TEST_SEED={seed}\n")
    return seed

"""The pytest plug-in in a project of its own."""

import re
import subprocess
import sys
from pathlib import Path

from tests.testing.projects import ASYNCIO, OURS, run

TESTS = """
from opwright import Opwright
from opwright.testing import drain, relocated
from opwright.testing.contract import EngineContract

ops = Opwright("postgresql://production.invalid/shop")
seen = []

@ops.operation
def double(number: int) -> int:
    return 2 * number

def test_one(opwright_database):
    seen.append(opwright_database)
    with relocated(ops, opwright_database):
        handle = double.submit(21).now()
        assert drain(ops).now().attempts == 1
        assert handle.result().now() == 42

def test_two(opwright_database):
    assert opwright_database not in seen
    with relocated(ops, opwright_database):
        assert drain(ops).now().attempts == 0
"""


def test_it_needs_no_other_plugin(tmp_path: Path) -> None:
    """Synchronous tests run with pytest alone, each on a database of its own."""
    assert "2 passed" in run(tmp_path, {"test_shop.py": TESTS}, OURS)


def test_it_bears_an_asyncio_plugin(tmp_path: Path) -> None:
    """The same tests beside asynchronous ones."""
    more = """
async def test_three(opwright_database):
    async with relocated(ops, opwright_database):
        await double.submit(1)
        assert (await drain(ops)).attempts == 1
"""
    assert "3 passed" in run(tmp_path, {"test_shop.py": TESTS + more}, OURS, ASYNCIO)


def test_a_broken_promise_of_an_engine_is_explained(tmp_path: Path) -> None:
    """The plug-in has pytest explain the asserts of the contract, as it does those of a test."""
    broken = """
import pytest
from opwright.store.sqlite import SqliteEngine
from opwright.testing.contract import EngineContract

class Hasty(SqliteEngine):
    async def run(self, name, lane=None, /, **values):
        if name == "promote":
            values["now"] = self.clock.now() + 3_600_000_000
        return await super().run(name, **values)

class TestHasty(EngineContract):
    @pytest.fixture
    def engine(self, opwright_database):
        return lambda clock: Hasty(opwright_database, clock)
"""
    said = run(tmp_path, {"test_engine.py": broken}, OURS)
    assert re.search(r"^FAILED .*::test_a_delay_is_kept_by_the_clock - AssertionError: assert \[Claim\(", said, re.MULTILINE)
    assert "1 failed" in said


def test_it_draws_in_nothing_that_opwright_does_not(tmp_path: Path) -> None:
    """Whoever installs Opwright pays for the plug-in in each run of pytest, so it imports nothing but Opwright."""
    program = (
        "import sys, opwright, pytest; old = set(sys.modules); import opwright.testing.plugin; print(*set(sys.modules) - old)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert all(name.startswith("opwright.") for name in done.stdout.split()), done.stdout

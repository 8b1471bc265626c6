"""The guide to submitting is one program, and it does what the page says."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from opwright.clock import SECOND
from opwright.model.submitter import RETRIES
from opwright.operations.trigger import Trigger
from opwright.store.queue import LOST_AFTER

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "submitting.md"
ADDRESS = 'Opwright("sqlite:///submitting.db")'

DRIVER = """
import asyncio

from opwright import OperationCancelled
from submitting import Newsletter, all_and_then, bill, closed_for_lunch, in_order, later, newsletter, ops, render, send, simple


async def sent():
    while len(Newsletter.sent) < 3:
        await asyncio.sleep(0.01)
    return Newsletter.sent


async def main():
    async with ops.host(pool="inline", heartbeat=0.1):
        print(await simple())
        await later()
        print(await in_order())
        print(await all_and_then())
        bills = await bill.submit_many([(customer % 2, "May") for customer in range(6)])
        print(sorted({await one.result(30) for one in bills}))
        print(await closed_for_lunch())
        print(await (await send.submit("bob@example.org")).result(30))
        await newsletter.submit(1)
        print(await sent())


if __name__ == "__main__":
    asyncio.run(main())
"""


def program() -> str:
    """All of its blocks, as they stand on the page."""
    return "\n\n".join(re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL))


def test_the_program_of_the_guide_does_what_it_says(tmp_path: Path, database_url: str) -> None:
    assert program().count(ADDRESS) == 1
    (tmp_path / "submitting.py").write_text(program().replace(ADDRESS, f'Opwright("{database_url}")'))
    (tmp_path / "drive.py").write_text(DRIVER)
    done = subprocess.run([sys.executable, "drive.py"], cwd=tmp_path, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "['cat.jpg-320', 'cat.jpg-640', 'dog.jpg-800']",
        "['cat.jpg-640', 'dog.jpg-640']",
        "['cat.jpg-640', 'dog.jpg-640']",
        "['0: May', '1: May']",
        "1",
        "bob@example.org",
        "[1, 2, 3]",
    ]


def test_the_table_names_every_option() -> None:
    """And no other."""
    table = GUIDE.read_text().split("## Options")[1].split("```")[0]
    named = {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert named == set(inspect.signature(Trigger.options).parameters) - {"self"}


@pytest.mark.parametrize("text", ["up to twenty times", "after three hours"])
def test_figures_of_the_page_are_those_of_the_code(text: str) -> None:
    assert text in GUIDE.read_text().replace("\n", " ")
    assert (RETRIES, LOST_AFTER) == (20, 3 * 3600 * SECOND)

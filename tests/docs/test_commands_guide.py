"""The guide to commands is one program, and its drawings name what there is."""

import re
import subprocess
import sys
from pathlib import Path

import opwright
from opwright.commands import priorities

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "commands.md"

DRIVER = """
import asyncio
import sqlite3

from commands import Change, PlaceOrder, ops, total
from opwright import DbEventLogReader


async def main():
    async with ops:
        print(await total(7))
        print(await ops.call(PlaceOrder(7, "tea")))
        print(await total(7))
        await ops.call(Change("salt"))
        await ops.call(Change("salt"))
    async with DbEventLogReader(ops, pool="inline", heartbeat=0.1):
        while (done := succeeded()) < 2:
            await asyncio.sleep(0.01)
        print(done >= 2)  # the one at the full minute may be due by now


def succeeded():
    connection = sqlite3.connect("commands.db")
    (found,) = connection.execute("select count(*) from opwright_outcomes where status = 1").fetchone()
    connection.close()
    return found


asyncio.run(main())
"""


def section(title: str) -> str:
    return GUIDE.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_program_of_the_guide_does_what_it_says(tmp_path: Path) -> None:
    """The two events that are due now and in a second are carried out; the others wait."""
    program = "\n\n".join(re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL))
    (tmp_path / "commands.py").write_text(program)
    (tmp_path / "drive.py").write_text(DRIVER)
    done = subprocess.run([sys.executable, "drive.py"], cwd=tmp_path, capture_output=True, text=True, timeout=55, check=False)
    assert (done.stdout.splitlines(), done.returncode) == (["0", "committed", "1", "1", "True"], 0), done.stderr


def test_the_three_groups_are_drawn_and_are_those_of_the_package() -> None:
    """Each part that the drawing names is public, and the pipeline stands in the order of its priorities."""
    drawing = section("The three groups of parts")
    for group in ("the pipeline of a command", "services in the background", "notification"):
        assert group in drawing
    parts = re.findall(r"\b[A-Z]\w+[a-z][A-Z]\w+\b", drawing)
    assert {"DbOperationScopeProvider", "DbEventLogReader", "DbEventLogTrimmer"} <= set(parts)
    assert all(hasattr(opwright, part) for part in parts if part != "PlaceOrder")
    numbers = [int(number.replace(",", "")) for number in re.findall(r"^ {4} *([\d,]+)  ", drawing, re.MULTILINE)]
    names = ("NESTED_LOGGER", "IN_MEMORY_SCOPE", "DB_SCOPE", "INVALIDATION", "HANDLER")
    assert numbers == [getattr(priorities, name) for name in names]
    root = Path(opwright.__file__).parent
    for folder in ("commands", "app", "maintenance", "watch"):
        assert folder in drawing
        assert (root / folder).is_dir()


def test_the_life_of_a_scope_is_described() -> None:
    """From its beginning through use and the two ends to completion."""
    life = section("The life of an operation scope")
    places = [life.index(word) for word in ("begin ", "use ", "end ", "completion")]
    assert places == sorted(places)
    for word in ("commit", "roll-back", "invalidated"):
        assert word in life


def test_the_way_of_an_event_is_described() -> None:
    """Added with the operation, read, executed, marked."""
    way = section("The way of an event")
    words = ("events.add", "written with the commit", "New", "claimed", "carried out", "Processed")
    places = [way.index(word) for word in words]
    assert places == sorted(places)
    assert "tried again" in way
    assert "Discarded" in way

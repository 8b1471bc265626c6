"""The guide to commands is one program that does what the page says, and the page tells and draws what it promises to."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import opwright
from tests.docs.shown_by import ROOT

GUIDE = ROOT / "docs" / "guides" / "commands.md"


def program() -> str:
    """All of its blocks, as they stand on the page."""
    return "\n\n".join(re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL))


def said() -> str:
    """What the page says that it prints."""
    (block,) = re.findall(r"the first time:\n\n((?:    .*\n)+)", GUIDE.read_text())
    return re.sub("^    ", "", block, flags=re.MULTILINE)


def sections() -> dict[str, str]:
    """The page in parts, by their headings; without one what stands above them."""
    first, *others = GUIDE.read_text().split("\n## ")
    return {"": first} | {one.partition("\n")[0]: one for one in others}


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The program, whose warnings are errors; it ends with the block at the latest."""
    command = [sys.executable, "-W", "error", "shop.py", *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_program_of_the_guide_does_what_it_says(tmp_path: Path) -> None:
    """One process places orders and adds up only what they concern; another one that had cached the sums follows each of them."""
    (tmp_path / "shop.py").write_text(program())
    with started(tmp_path, "watch") as watcher, started_when_watched(tmp_path, watcher) as placing:
        printed, complaints = placing.communicate(timeout=50)
        assert (printed, complaints) == (said(), "")
        followed, complaints = watcher.communicate(timeout=20)
    assert (watcher.returncode, complaints) == (0, "")
    assert "order 1 of ann" in followed
    assert "order 3 of bob" in followed
    assert followed.splitlines()[-1] == "turnover 5000"


@contextmanager
def started_when_watched(folder: Path, watcher: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """The program that places orders, once the other one has added up that there are none."""
    assert watcher.stdout
    assert [watcher.stdout.readline() for _ in range(3)][-1] == "turnover 0\n"
    with started(folder) as process:
        yield process


def test_the_three_groups_are_drawn_and_are_those_of_the_package() -> None:
    """Pipeline, services in the background, notification: each name that the page gives can be imported."""
    rows = re.findall(
        r"^\| (pipeline|services in the background|notification) \| .*? \| (.*?) \|$", GUIDE.read_text(), re.MULTILINE
    )
    assert [group for group, _ in rows] == ["pipeline", "services in the background", "notification"]
    names = [re.findall(r"`(\w+)`", cell) for _, cell in rows]
    assert [len(group) for group in names] == [4, 4, 5]
    assert {name for group in names for name in group} <= set(opwright.__all__)


def test_the_life_of_a_scope_is_described() -> None:
    """From its beginning through use, commit or roll-back, to completion, in this order."""
    (drawing,) = re.findall(r"\n\n((?:    .*\n)+)", sections()["The scope"])
    steps = ("asked for", "opened", "used", "committed", "invalidated here", "completed")
    places = [drawing.index(step) for step in steps]
    assert places == sorted(places)
    assert "rolled back" in drawing


def test_invalidation_across_processes_is_drawn() -> None:
    """Who commits notifies; each of the others reads the log and invalidates."""
    drawing = sections()[""]
    for part in (
        "COMMIT",
        "DbLogWatcher wakes the reader",
        "DbOperationLogReader",
        "invalidates functions",
        "log entry",
        "polls",
    ):
        assert part in drawing
    assert max(len(line) for line in drawing.splitlines() if line.startswith("    ")) <= 120


def test_the_way_of_an_event_is_described() -> None:
    """Added with the operation, read, carried out, marked."""
    way = sections()["Events"]
    steps = ("scope.events.add ──>", "committed with the scope", "New", "read by a host", "carried out", "Processed")
    places = [way.index(step, way.index(steps[0])) for step in steps]
    assert places == sorted(places)
    assert "Discarded" in way

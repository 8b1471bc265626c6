"""The table of faults: which of them, F1 to F74, these tests inject, and whether the promise held."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.faults.unruly import Unruly
from tests.kit.diary import FOLDER
from tests.kit.fixtures import application, diary, seed, tables, trade
from tests.kit.tables import Tables
from tests.kit.wire import Wire, wire_to

__all__ = ["application", "diary", "seed", "tables", "trade"]

FAULTS = "faults"  # the property of a report that carries the numbers over to the process that prints


@pytest.fixture
async def unruly(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Unruly:
    """The application with what hurts; worker processes find the same one."""
    monkeypatch.setenv("OPWRIGHT_URL", database_url)
    monkeypatch.setenv(FOLDER, str(tmp_path))
    await Tables(database_url).rows("create table charges (number integer)")
    return Unruly(database_url)


@pytest.fixture
async def wire(database_url: str) -> AsyncIterator[Wire]:
    """A network of our own before the database."""
    async with wire_to(database_url) as wire:
        yield wire


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each test says which faults it injects: ``@pytest.mark.fault("F2")``, or several."""
    for item in items:
        numbers = [number for mark in item.iter_markers("fault") for number in mark.args]
        if numbers:
            item.user_properties.append((FAULTS, ",".join(numbers)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each fault and test: its number, what came of it, where it stands."""
    rows: dict[tuple[int, str], list[str]] = defaultdict(list)
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            for number in _numbers(report):
                rows[int(number[1:]), report.nodeid.partition("[")[0]].append(outcome)
    if rows:
        terminalreporter.section("faults")
    for (fault, test), outcomes in sorted(rows.items()):
        terminalreporter.write_line(f"F{fault:<3} {_worst(outcomes):7} {test}")


def _numbers(report: pytest.TestReport | pytest.CollectReport) -> Iterator[str]:
    if isinstance(report, pytest.CollectReport):
        return  # a file that could not be read tells no numbers
    for name, value in report.user_properties:
        if name == FAULTS and isinstance(value, str):
            yield from value.split(",")


def _worst(outcomes: list[str]) -> str:
    return next((outcome for outcome in ("error", "failed") if outcome in outcomes), "passed")

"""What a trigger prints and logs, in the log of its operation."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pytest

from opwright.workers import capture
from tests.workers.conftest import host_inside
from tests.workers.host import Host


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """What the capture put into this process goes with the test."""
    output, root = sys.stdout, logging.getLogger()
    level = root.level
    yield
    sys.stdout = output
    root.removeHandler(capture._records)
    root.setLevel(level)


async def test_two_operations_at_once_have_their_own_lines(inside: Host) -> None:
    one, two = inside.place("prints", name="one", rounds=5), inside.place("prints", name="two", rounds=5)
    await inside.update(one)
    await inside.update(two)
    for operation, name in ((one, "one"), (two, "two")):
        printed = [line for line in inside.said(operation) if "prints" in line]
        assert printed == [f"{name} prints {number}" for number in range(5)]
        assert all(name in line for line in inside.said(operation))


async def test_logging_records_come_with_their_level_and_logger(inside: Host) -> None:
    """In this process pytest has set the root logger up, so here its level decides."""
    logging.getLogger().setLevel(logging.INFO)
    operation = inside.place("prints", name="one", rounds=2)
    await inside.update(operation)
    assert inside.said(operation) == [
        "one prints 0", "INFO tests.inside: one logs 0", "one prints 1", "INFO tests.inside: one logs 1",
    ]  # fmt: skip


async def test_half_a_line_waits_for_its_other_half_or_the_end(inside: Host) -> None:
    operation = inside.place("prints_half")
    await inside.update(operation)
    assert inside.said(operation) == ["one, two", "three"]


async def test_an_error_is_logged_with_its_traceback_in_one_piece(inside: Host) -> None:
    operation = inside.place("logs_an_error")
    await inside.update(operation)
    (text,) = inside.said(operation)
    assert text.startswith("ERROR tests.inside: it went wrong\nTraceback (most recent call last):\n")
    assert text.endswith("\nValueError: no such photo")


async def test_what_is_not_captured_says_nothing(inside: Host) -> None:
    await inside.run("prints_half")
    inside.remarks.clear()
    await inside.run("prints_openly")
    assert inside.remarks == []


@pytest.mark.parametrize("kind", ["processes", "inline"])
async def test_everything_still_goes_where_it_went_before(
    host: Host, kind: str, capfd: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    """Also the error, which logging prints itself where nobody has set it up, as in the worker process."""
    await host_inside(host, kind)
    for trigger in ("prints_half", "logs_an_error", "prints_openly"):
        await host.run(trigger)
    await host.pool.stop(10, 10)
    output, errors = capfd.readouterr()
    assert sorted(output.replace("threefor", "three\nfor").splitlines()) == sorted(["one, two", "three", "for everybody"])
    if kind == "processes":
        assert errors.count("it went wrong") == 1
        assert "logs 0" not in errors


def test_a_line_without_an_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nobody's memory fills up."""
    lines: list[str] = []
    into = capture.Capture(lines.append)
    for _ in range(100):
        into.write("x" * 100)
    into.close()
    assert "".join(lines) == "x" * 10_000
    assert len(lines) == 3


def test_a_record_that_cannot_be_formatted_disturbs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    lines: list[str] = []
    capture.install()
    capture.install()
    assert logging.getLogger().handlers.count(capture._records) == 1
    token = capture.capturing.set(capture.Capture(lines.append))
    try:
        logging.getLogger("tests.inside").error("%d", "no number")
        print("still", file=sys.stdout)  # noqa: T201 - that is what is captured
        sys.stdout.writelines(["here\n"])
    finally:
        capture.capturing.reset(token)
    assert lines == ["still", "here"]

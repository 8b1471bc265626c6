"""What an application wraps around every attempt."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest

from opwright import ConfigurationError, Current, Opwright
from opwright.model.worker import Outcome, StatusUpdate, Task
from opwright.workers.attempt import Attempt
from opwright.workers.runner import Around
from tests.workers.conftest import host_inside
from tests.workers.host import Host
from tests.workers.inside import ops as inside_ops

AROUND = ["outer in", "inner in"]


@pytest.fixture(params=["processes", "slots", "inline"])
async def watched(request: pytest.FixtureRequest, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host whose triggers and what is around them keep a diary."""
    monkeypatch.setenv("TEST_DIARY", str(tmp_path / "diary"))
    return await host_inside(host, request.param, room=1)


def story(host: Host) -> list[str]:
    lines = (host.directory / "diary").read_text().splitlines()
    return [line for line in lines if "up" not in line]


async def test_it_goes_around_the_trigger_the_first_outermost(watched: Host) -> None:
    operation = watched.place("describes")
    await watched.update(operation)
    assert story(watched) == [f"outer in describes {operation} 1", "inner in", "inner out", "outer out"]


async def test_what_it_sets_is_seen_by_the_trigger_and_by_no_other(inside: Host) -> None:
    """The variable of the first is the id of the operation."""
    operations = [inside.place("describes") for _ in range(2)]
    for operation in operations:
        update = await inside.update(operation)
        assert f"seen {operation}" in (update.result or "")


@pytest.mark.parametrize("trigger", ["raises", "raises_async"])
async def test_it_sees_the_error_and_cannot_swallow_it(watched: Host, trigger: str) -> None:
    """The inner one swallows; the outer one sees it all the same."""
    update = await watched.run(trigger)
    assert update.outcome is Outcome.FAILED
    assert (update.error or "").startswith("ValueError: no\n")
    assert story(watched)[1:] == ["inner in", "inner saw ValueError", "inner out", "outer saw ValueError", "outer out"]


async def test_it_sees_a_wait_too(watched: Host) -> None:
    assert (await watched.run("asks")).outcome is Outcome.WAIT
    assert "outer saw Waiting" in story(watched)


async def test_it_can_refuse_the_trigger(watched: Host) -> None:
    update = await watched.run("refused")
    assert update.outcome is Outcome.FAILED
    assert (update.error or "").startswith("PermissionError: not today\n")
    assert not (watched.directory / "diary").exists() or "the trigger ran" not in story(watched)


def attempt(*arounds: Around) -> StatusUpdate:
    one = Attempt(Task(1, 2, 1, "raises", "{}"), arounds=arounds)
    one.function = inside_ops.registry.find("raises")
    update = one.start(copy_context())
    assert isinstance(update, StatusUpdate)
    return update


def test_an_error_of_its_own_takes_the_place_of_the_triggers() -> None:
    def translates(current: Current) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise LookupError("translated") from error

    update = attempt(translates)
    assert update.outcome is Outcome.FAILED
    assert (update.error or "").startswith("LookupError: translated\n")
    assert "ValueError: no" in (update.error or "")


def test_one_that_does_not_yield_once_is_told_by_its_name() -> None:
    def never(current: Current) -> Iterator[None]:
        yield from ()

    def twice(current: Current) -> Iterator[None]:
        try:
            yield
        except ValueError:
            yield

    assert "never did not yield; what is wrapped" in (attempt(never).error or "")
    assert "twice yielded more than once; what is wrapped" in (attempt(twice).error or "")


def test_what_cannot_be_wrapped_around_an_attempt_is_refused_at_once() -> None:
    ops: Any = Opwright("sqlite:///never.db")

    async def asynchronous(current: Current) -> AsyncIterator[None]:
        yield

    def empty() -> Iterator[None]:
        yield

    with pytest.raises(ConfigurationError, match=r"is asynchronous, and synchronous triggers could not run it"):
        ops.around(asynchronous)
    with pytest.raises(ConfigurationError, match="is no generator function"):
        ops.around(lambda current: None)
    with pytest.raises(ConfigurationError, match="must take one parameter"):
        ops.around(empty)
    assert ops.registry.arounds == ()

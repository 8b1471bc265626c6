"""One attempt ends in one update, whatever its trigger does."""

from __future__ import annotations

from contextvars import copy_context
from typing import Any

import pytest

from opwright.errors import OperationCancelled
from opwright.model.worker import Outcome, StatusUpdate, Task
from opwright.workers import attempt as module
from opwright.workers.attempt import Attempt
from tests.workers import application
from tests.workers.application import TRIGGERS, Application


async def run(trigger: str, inputs: str = "{}", *, asked: bool = False) -> StatusUpdate:
    attempt = Attempt(Task(1, 2, 1, trigger, inputs))
    attempt.function = Application(*TRIGGERS, unreadable, says_cancelled, deep).find(trigger)
    attempt.asked = asked
    update = attempt.start(copy_context())
    return update if isinstance(update, StatusUpdate) else await update


class Unreadable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no message")


def unreadable() -> None:
    raise Unreadable


def says_cancelled() -> None:
    raise OperationCancelled("what it waited for was cancelled")


def deep() -> None:
    deep()


@pytest.mark.parametrize("trigger", ["double", "double_now"])
async def test_a_result_comes_back_as_json_with_its_times(trigger: str) -> None:
    update = await run(trigger, '{"number": 21}')
    assert (update.operation, update.token, update.outcome, update.result) == (1, 2, Outcome.DONE, "42")
    assert update.begun is not None
    assert update.ended is not None
    assert update.begun <= update.ended


async def test_an_unknown_trigger_is_unknown() -> None:
    update = await run("nothing")
    assert update.outcome is Outcome.UNKNOWN
    assert update.error == "this process knows no trigger named 'nothing'"


async def test_inputs_that_do_not_decode_are_invalid_and_name_the_problem() -> None:
    update = await run("double", "[1]")
    assert update.outcome is Outcome.INVALID
    assert update.error == "the inputs do not fit double: Expected `object`, got `array`"


async def test_a_result_that_cannot_be_stored_is_invalid() -> None:
    update = await run("unstorable")
    assert update.outcome is Outcome.INVALID
    assert update.error == "the result of unstorable cannot be stored: Encoding objects of type object is unsupported"


async def test_a_result_that_no_frame_can_hold_is_invalid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_TEXT", 1000)
    update = await run("huge", '{"size": 1000}')
    assert update.outcome is Outcome.INVALID
    assert update.error == ("the result of huge cannot be stored: it has 1,002 characters, at most 1,000 are possible")


@pytest.mark.parametrize("trigger", ["raises", "raises_async"])
async def test_what_a_trigger_raises_is_told_with_the_frames_of_the_user_only(trigger: str) -> None:
    update = await run(trigger, '{"message": "no such photo"}')
    assert update.outcome is Outcome.FAILED
    assert update.error is not None
    lines = update.error.splitlines()
    assert lines[0] == "ValueError: no such photo"
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1] == "ValueError: no such photo"
    assert application.__file__ in update.error
    assert "opwright/workers" not in update.error.replace("tests/workers", "")


async def test_the_cause_of_an_error_is_told_too() -> None:
    update = await run("raises_chained")
    assert update.error is not None
    assert update.error.startswith("RuntimeError: outer\n")
    assert "ValueError: inner" in update.error


@pytest.mark.parametrize("trigger", ["exits", "exits_async"])
async def test_a_trigger_that_exits_has_failed(trigger: str) -> None:
    update = await run(trigger, '{"code": 3}')
    assert update.outcome is Outcome.FAILED
    assert update.error is not None
    assert update.error.startswith("SystemExit: 3\n")


async def test_a_trigger_that_raises_keyboard_interrupt_has_failed() -> None:
    update = await run("interrupts")
    assert update.outcome is Outcome.FAILED
    assert update.error is not None
    assert update.error.startswith("KeyboardInterrupt\n")


async def test_an_error_whose_message_cannot_be_read_is_told_by_its_type() -> None:
    update = await run("unreadable")
    assert update.outcome is Outcome.FAILED
    assert update.error is not None
    assert update.error.startswith("Unreadable: its message cannot be read\n")


async def test_endless_recursion_is_a_failure_of_readable_length() -> None:
    update = await run("deep")
    assert update.outcome is Outcome.FAILED
    assert update.error is not None
    assert update.error.startswith("RecursionError: ")
    assert len(update.error) <= 16_100


async def test_an_error_text_is_cleaned() -> None:
    update = await run("raises", '{"message": "a\\u0000b"}')
    assert update.error is not None
    assert update.error.startswith("ValueError: a\\x00b\n")


async def test_one_asked_to_stop_before_its_call_does_not_run() -> None:
    update = await run("unstorable", asked=True)
    assert update.outcome is Outcome.CANCELLED


@pytest.mark.parametrize(("asked", "outcome"), [(False, Outcome.FAILED)])
async def test_a_cancellation_that_nobody_asked_for_is_a_failure(asked: Any, outcome: Outcome) -> None:
    update = await run("says_cancelled", asked=asked)
    assert update.outcome is outcome

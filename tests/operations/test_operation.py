"""The public module: what a trigger can say and ask, in short."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import pytest

import opwright
from opwright import NotInOperation, Opwright, operation
from opwright.model.worker import Outcome, Remark, StatusUpdate, Task
from opwright.workers.attempt import Attempt


def run(function: Callable[[], Any], *answers: str) -> tuple[StatusUpdate, list[Remark]]:
    """What became of a trigger, and what it said, as its worker tells it."""
    ops, remarks = Opwright("sqlite:///never.db"), list[Remark]()
    trigger = ops.operation(name="trigger")(function)
    attempt = Attempt(Task(7, 8, 2, "trigger", "{}", answers), remarks.append)
    attempt.function = trigger
    update = attempt.start(copy_context())
    assert isinstance(update, StatusUpdate)
    return attempt.close(update), remarks


def test_the_module_is_imported_from_the_package() -> None:
    assert opwright.operation is operation
    assert issubclass(NotInOperation, opwright.OpwrightError)


@pytest.mark.parametrize(
    "call",
    [
        operation.current,
        operation.cancelled,
        operation.wait,
        operation.retry,
        lambda: operation.log("text"),
        lambda: operation.progress(0.5),
    ],
)
def test_outside_of_an_operation_everything_says_so(call: Callable[[], Any]) -> None:
    with pytest.raises(NotInOperation, match=r"only inside a trigger that an operation runs; in a test use opwright\.testing"):
        call()


def test_each_function_is_the_method_of_the_same_name() -> None:
    def speaks() -> list[Any]:
        current = operation.current()
        operation.log("a line")
        operation.progress(0.25, "a quarter")
        return [current.id, current.attempt, current.trigger, operation.cancelled(), operation.wait(5)]

    update, remarks = run(speaks, '{"width": 640}')
    assert update.result == '[7,2,"trigger",false,{"width":640}]'
    assert [(remark.text, remark.fraction) for remark in remarks] == [("a line", None), ("a quarter", 0.25)]


def test_wait_and_retry_end_the_attempt() -> None:
    update, _ = run(lambda: operation.wait(5, times=4))
    assert (update.outcome, update.pause, update.times) == (Outcome.WAIT, 5, 4)
    update, _ = run(lambda: operation.retry(3, "busy"))
    assert (update.outcome, update.pause, update.error) == (Outcome.RETRY, 3, "busy")


def test_progress_that_was_kept_back_goes_out_at_the_end() -> None:
    def hurries() -> None:
        for step in range(11):
            operation.progress(step / 10)

    _, remarks = run(hurries)
    assert [remark.fraction for remark in remarks] == [0.0, 1.0]


def ascii_of(text: str) -> str:
    return ascii(text)


def test_a_trigger_keeps_its_capture_with_other_options() -> None:
    ops = Opwright("sqlite:///never.db")
    prints = ops.operation(name="prints", capture=True)(ascii_of)
    assert prints.capture
    assert prints.options(priority=5).capture
    assert not ops.operation(name="silent")(ascii_of).capture

"""What a running operation asks of its host: to wait, to be tried again; and an end that is committed already."""

from __future__ import annotations

from pathlib import Path

import pytest

from opwright.errors import InvalidOperation
from opwright.model.worker import Outcome, Task
from opwright.workers.attempt import Attempt
from tests.workers.host import TOKEN, Host, file_appears


async def test_a_wait_without_an_answer_ends_the_attempt(inside: Host) -> None:
    update = await inside.run("asks")
    assert (update.outcome, update.pause, update.times) == (Outcome.WAIT, 90, 2)
    assert (update.result, update.error) == (None, None)


async def test_the_second_wait_is_the_one_that_ends_it_when_the_first_has_its_answer(inside: Host) -> None:
    update = await inside.update(inside.place("asks", answers=('"yes"',)))
    assert (update.outcome, update.pause, update.times) == (Outcome.WAIT, None, None)


async def test_answers_are_returned_in_their_order(inside: Host) -> None:
    update = await inside.update(inside.place("asks", answers=('"yes"', '{"width": 640}')))
    assert (update.outcome, update.result) == (Outcome.DONE, '["yes",{"width":640}]')


async def test_a_wait_passes_through_what_catches_every_exception(inside: Host) -> None:
    assert (await inside.run("asks_and_hopes")).outcome is Outcome.WAIT


async def test_a_wait_that_is_swallowed_is_a_normal_end(inside: Host) -> None:
    update = await inside.run("asks_and_swallows")
    assert (update.outcome, update.result) == (Outcome.DONE, '"swallowed"')


async def test_a_wait_within_a_task_group_is_recognised(inside: Host) -> None:
    update = await inside.run("asks_in_a_group", other="sleeps")
    assert (update.outcome, update.pause) == (Outcome.WAIT, 5)


async def test_a_wait_beside_an_error_is_an_error(inside: Host) -> None:
    update = await inside.run("asks_in_a_group", other="fails")
    assert update.outcome is Outcome.FAILED
    assert "ValueError: no" in (update.error or "")


async def test_an_operation_asks_to_be_tried_again(inside: Host) -> None:
    update = await inside.run("tries_again", after=7.5, reason="the printer is busy")
    assert (update.outcome, update.pause, update.error) == (Outcome.RETRY, 7.5, "the printer is busy")
    update = await inside.run("tries_again")
    assert (update.outcome, update.pause, update.error) == (Outcome.RETRY, None, "it asked to be tried again")


@pytest.mark.parametrize(
    ("seconds", "times", "named"),
    [
        (0, None, "seconds: 0 is"),
        (-1, None, "seconds: -1 is"),
        (float("inf"), None, "seconds: inf is"),
        (float("nan"), None, "seconds: nan is"),
        (True, None, "seconds: True is"),
        (1e11, None, "seconds: 100000000000.0 is"),
        (None, 0, "times: 0 is"),
        (None, 1.5, "times: 1.5 is"),
        (None, 10_001, "times: 10001 is"),
    ],
)
def test_a_wait_that_cannot_be_is_refused_by_its_value(seconds: float, times: int, named: str) -> None:
    """Also when there is an answer for it."""
    current = Attempt(Task(1, TOKEN, 1, "asks", "{}", ('"yes"',))).current
    with pytest.raises(InvalidOperation, match=named):
        current.wait(seconds, times=times)
    assert current.wait() == "yes"


@pytest.mark.parametrize("after", [-1, float("nan"), float("inf"), "5", False])
def test_a_retry_that_cannot_be_is_refused_by_its_value(after: float) -> None:
    current = Attempt(Task(1, TOKEN, 1, "asks", "{}")).current
    with pytest.raises(InvalidOperation, match=f"after: {after!r} is"):
        current.retry(after)


async def test_synchronous_code_can_see_that_it_was_asked_to_stop(inside: Host, tmp_path: Path) -> None:
    """Where nothing can interrupt it; a worker of its own is interrupted meanwhile."""
    path = tmp_path / "begun"
    operation = inside.place("looks", path=str(path))
    await file_appears(path)
    inside.cancel(operation)
    update = await inside.update(operation)
    assert update.result == '"stopped"' or update.outcome is Outcome.CANCELLED


@pytest.mark.parametrize(("then", "error"), [("returns", None), ("fails", "ValueError: too late"), ("waits", None)])
async def test_an_end_that_is_committed_stands_whatever_comes_after(inside: Host, then: str, error: str | None) -> None:
    update = await inside.run("ends_within", then=then)
    assert (update.outcome, update.result, update.pause) == (Outcome.ENDED, None, None)
    assert (update.error or "").startswith(error or "")
    assert (update.error is None) == (error is None)


async def test_a_cancel_after_it_changes_nothing(inside: Host, tmp_path: Path) -> None:
    path = tmp_path / "begun"
    operation = inside.place("ends_within", then="sleeps", path=str(path))
    await file_appears(path)
    inside.cancel(operation)
    update = await inside.update(operation)
    assert (update.outcome, update.error) == (Outcome.ENDED, None)


async def test_nor_does_a_stop(inside: Host, tmp_path: Path) -> None:
    path = tmp_path / "begun"
    operation = inside.place("ends_within", then="sleeps", path=str(path))
    await file_appears(path)
    await inside.pool.stop(0, 10)
    assert inside.updates[operation].outcome is Outcome.ENDED

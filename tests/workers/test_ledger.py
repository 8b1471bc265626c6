"""What a worker holds, by order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opwright.model.worker import Outcome, StatusUpdate, Task
from opwright.workers.ledger import Ledger
from opwright.workers.pool import may_wait


def task(operation: int) -> Task:
    return Task(operation, operation * 10, 1, "trigger", "{}")


def filled(slots: int, count: int, *, quick: bool = True) -> Ledger:
    ledger = Ledger(slots)
    for number in range(1, count + 1):
        ledger.give(task(number), quick=quick, now=number)
    return ledger


def done(operation: int, outcome: Outcome = Outcome.DONE) -> StatusUpdate:
    return StatusUpdate(operation, operation * 10, outcome)


def test_the_first_in_order_have_begun_as_many_as_there_are_slots() -> None:
    assert filled(2, 5).operations() == (1, 2)


def test_an_answer_lets_the_next_in_order_begin() -> None:
    ledger = filled(2, 4)
    ledger.answer([done(2)], now=100)
    assert [(held.task.operation, held.begun) for held in ledger.begun()] == [(1, 1), (3, 100)]


def test_an_answer_under_another_token_or_of_an_unknown_operation_is_dropped() -> None:
    ledger = filled(1, 2)
    assert ledger.answer([StatusUpdate(1, 999, Outcome.DONE), done(7)], now=9) == []
    assert ledger.operations() == (1,)


def test_death_is_charged_to_what_was_marked_and_the_rest_comes_back() -> None:
    updates = filled(1, 3).close("worker 5 was killed", 50, frozenset({2}))
    assert [(update.operation, update.outcome) for update in updates] == [
        (1, Outcome.RETURNED),
        (2, Outcome.DIED),
        (3, Outcome.RETURNED),
    ]
    assert updates[1].error == "worker 5 was killed"


def test_what_came_back_is_not_counted_as_finished() -> None:
    ledger = filled(1, 2)
    ledger.answer([done(1), done(2, Outcome.RETURNED)], now=9)
    assert ledger.finished == 1


def test_nothing_waits_behind_a_slow_one() -> None:
    assert filled(1, 1, quick=True).room(ahead=1)
    assert not filled(1, 1, quick=False).room(ahead=50)


@pytest.mark.fault("F43")
def test_a_clock_that_was_set_back_hides_nothing_that_is_stuck() -> None:
    """It seems to begin in the future; nobody knows since when it runs, so nothing waits behind it."""
    ledger = filled(1, 2, quick=True)
    (held,) = ledger.begun()
    assert held.begun is not None
    assert not ledger.doubt(held.begun - 5, held.begun)
    assert ledger.room(ahead=50)
    assert ledger.doubt(held.begun - 5, held.begun - 1)
    assert not ledger.room(ahead=50)


@given(st.integers(1, 5), st.lists(st.integers(1, 30), max_size=40))
def test_what_has_begun_is_always_the_first_in_order(slots: int, answers: list[int]) -> None:
    ledger = filled(slots, 20)
    left = list(range(1, 21))
    for operation in answers:
        ledger.answer([done(operation)], now=99)
        left = [other for other in left if other != operation]
        assert ledger.operations() == tuple(left[:slots])
        assert len(ledger) == len(left)


@given(st.floats(0, 10))
def test_about_three_milliseconds_of_work_may_wait(expected: float) -> None:
    ahead = may_wait(expected)
    if expected >= 0.005:
        assert ahead == 0
    else:
        assert 1 <= ahead <= 50
        assert ahead == 1 or ahead * expected <= 0.003


def test_nothing_that_was_not_measured_may_wait() -> None:
    assert may_wait(None) == 0

"""The two budgets: what an error and what a death may cost, and that neither pays for the other."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opwright.model.claim import (
    Claim,
    DelayReason,
    End,
    Postpone,
    Release,
    after_death,
    after_error,
    hand_back,
)
from opwright.model.options import Options
from opwright.model.status import OutcomeCode

budgets = st.integers(0, 20)


def claim(errors: int = 0, deaths: int = 0, *, retries: int = 0, recoveries: int = 3) -> Claim:
    """A claim that has spent so much."""
    return Claim(1, 2, "work", "{}", "default", 0, errors, deaths, Options(retries, recoveries))


def test_an_error_without_retries_fails_at_once() -> None:
    """By default an error is final, because the trigger may already have sent the mail."""
    assert after_error(claim(), "it broke", 0.5) == End(OutcomeCode.FAILED, error="it broke")


def test_an_error_with_retries_left_comes_back_after_its_pause() -> None:
    """The pause is that of the backoff, the error is counted and told."""
    verdict = after_error(claim(errors=1, deaths=2, retries=2), "it broke", 0.5)
    assert verdict == Postpone(30.0, DelayReason.RETRY, 2, 2, note="it broke")


@given(retries=budgets, deaths=budgets)
def test_there_are_as_many_attempts_as_retries_and_one(retries: int, deaths: int) -> None:
    """Errors are counted to their budget exactly, however many deaths there were."""
    errors = 0
    for attempts in count(1):
        verdict = after_error(claim(errors, deaths, retries=retries), "it broke", 0.0)
        if isinstance(verdict, End):
            assert attempts == retries + 1
            return
        assert isinstance(verdict, Postpone)
        assert (verdict.errors, verdict.deaths) == (errors + 1, deaths)
        errors = verdict.errors


@given(recoveries=budgets, errors=budgets)
def test_there_are_as_many_deaths_as_recoveries_and_one(recoveries: int, errors: int) -> None:
    """Deaths are counted to their budget exactly, however many errors there were."""
    deaths = 0
    for attempts in count(1):
        verdict = after_death(claim(errors, deaths, recoveries=recoveries), "killed")
        if isinstance(verdict, End):
            assert attempts == recoveries + 1
            return
        assert verdict == Release(errors, deaths + 1, note="killed")
        deaths = verdict.deaths


@pytest.mark.parametrize(("deaths", "words"), [(0, "died once"), (3, "died 4 times")])
def test_the_last_death_tells_how_many_there_were(deaths: int, words: str) -> None:
    """The error of an operation that killed its workers says so."""
    verdict = after_death(claim(deaths=deaths, recoveries=deaths), "signal 9")
    assert isinstance(verdict, End)
    assert verdict.code is OutcomeCode.FAILED
    assert verdict.error is not None
    assert words in verdict.error
    assert verdict.error.endswith("signal 9")


def test_a_hand_back_charges_nothing() -> None:
    """What had not begun goes back as it came."""
    assert hand_back(claim(errors=1, deaths=2)) == Release(1, 2, note=None)


@given(errors=budgets, deaths=budgets)
def test_attempts_count_from_one(errors: int, deaths: int) -> None:
    """Every charged return makes the next attempt one higher."""
    assert claim(errors, deaths).attempt == errors + deaths + 1

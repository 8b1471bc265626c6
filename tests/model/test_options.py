"""Options: what may be asked for, and how pauses grow."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opwright.errors import InvalidOperation
from opwright.model.options import MOST_TRIES, Backoff, Options

seconds = st.floats(0, 1e9)
draws = st.floats(0, 1)
errors = st.integers(1, MOST_TRIES)


@st.composite
def backoffs(draw: st.DrawFn) -> Backoff:
    """Any pause that may be asked for: what is refused at the door is no example."""
    try:
        return Backoff(draw(seconds), draw(st.floats(1, 1e9)), draw(seconds), draw(st.floats(0, 1)))
    except InvalidOperation:
        return Backoff()


@given(backoffs(), errors, draws)
def test_a_pause_is_finite_and_bounded(backoff: Backoff, error: int, draw: float) -> None:
    """However many errors: never negative, never beyond the longest pause and its jitter, never an overflow."""
    pause = backoff.pause(error, draw)
    assert 0 <= pause <= backoff.longest * (1 + backoff.jitter)


@given(backoffs(), errors)
def test_pauses_grow(backoff: Backoff, error: int) -> None:
    """Without jitter no pause is shorter than the one before."""
    assert backoff.pause(error, 0.5) <= backoff.pause(error + 1, 0.5)


@given(backoffs(), errors, draws)
def test_a_pause_stays_within_its_jitter(backoff: Backoff, error: int, draw: float) -> None:
    """The draw moves a pause by the jitter's share at most."""
    middle = backoff.pause(error, 0.5)
    assert abs(backoff.pause(error, draw) - middle) <= middle * (
        backoff.jitter * (1 + 1e-9) + 1e-12
    )  # a float near 1 has 1e-16 to spare


def test_the_default_pauses() -> None:
    """15 s, doubling, to an hour."""
    pauses = [Backoff().pause(error, 0.5) for error in (1, 2, 3, 8, 9, 10, 1000)]
    assert pauses == [15, 30, 60, 1920, 3600, 3600, 3600]


def test_jitter_goes_both_ways() -> None:
    """What failed together does not return together."""
    assert [Backoff(first=10).pause(1, draw) for draw in (0.0, 0.5, 1.0)] == [8, 10, 12]


@pytest.mark.parametrize(
    "values",
    [
        {"first": -1}, {"longest": -1}, {"factor": 0.5}, {"jitter": -0.1}, {"jitter": 1.1},
        {"first": math.nan}, {"factor": math.nan}, {"longest": math.nan}, {"jitter": math.nan},
        {"first": math.inf}, {"factor": math.inf}, {"longest": math.inf},
    ],
)  # fmt: skip
def test_a_backoff_that_makes_no_sense_is_refused(values: dict[str, float]) -> None:
    """Negative, shrinking, infinite or undefined pauses are refused by name when they are asked for."""
    with pytest.raises(InvalidOperation) as caught:
        Backoff(**values)
    assert caught.value.field == "backoff"


@pytest.mark.parametrize("field", ["retries", "recoveries"])
@pytest.mark.parametrize("value", [-1, MOST_TRIES + 1, True, 1.0, "3", None])
def test_a_budget_is_a_whole_number(field: str, value: object) -> None:
    """A budget that is none is refused with its name."""
    with pytest.raises(InvalidOperation, match=field) as caught:
        Options(**{field: value})  # type: ignore[arg-type]
    assert caught.value.field == field


@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan])
def test_a_timeout_is_a_positive_time(value: float) -> None:
    """No time and endless time are no timeouts."""
    with pytest.raises(InvalidOperation) as caught:
        Options(timeout=value)
    assert caught.value.field == "timeout"


@given(st.integers(0, MOST_TRIES), st.integers(0, MOST_TRIES), st.none() | st.floats(0.001, 1e9), backoffs())
def test_options_come_back_from_their_row(retries: int, recoveries: int, timeout: float | None, backoff: Backoff) -> None:
    """What the row keeps decodes to what was asked for."""
    options = Options(retries, recoveries, timeout, backoff)
    assert msgspec.json.decode(msgspec.json.encode(options), type=Options) == options


def test_defaults_take_no_room() -> None:
    """A row with every budget at its default holds an empty object at most."""
    assert msgspec.json.encode(Options()) == b"{}"

"""Text that can be stored, whatever a trigger says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opwright.model.text import LONGEST_ERROR, clean

anything = st.text(st.characters(codec=None, categories=None), max_size=300)


@given(anything)
def test_any_text_can_be_stored(text: str) -> None:
    """No NUL, no lone surrogate, valid UTF-8: what a database takes."""
    cleaned = clean(text)
    assert "\x00" not in cleaned
    assert cleaned.encode().decode() == cleaned


@given(anything, st.integers(1, 50), st.integers(100, 400))
def test_text_is_bounded(text: str, times: int, longest: int) -> None:
    """The result is never longer than asked."""
    assert len(clean(text * times, longest)) <= longest


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=300))
def test_good_text_is_left_alone(text: str) -> None:
    """What can be stored as it is, is."""
    assert clean(text) == text


@given(anything)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    """Clean text is clean."""
    assert clean(clean(text)) == clean(text)


def test_long_text_keeps_both_ends() -> None:
    """Of a long traceback the head and the last lines stay, and it is told how much is missing."""
    text = "first line\n" + "x" * 100_000 + "\nthe error itself"
    cleaned = clean(text)
    assert cleaned.startswith("first line\n")
    assert cleaned.endswith("the error itself")
    assert "characters left out" in cleaned
    assert LONGEST_ERROR * 0.99 < len(cleaned) <= LONGEST_ERROR


@pytest.mark.parametrize(("text", "cleaned"), [("a\x00b", "a\\x00b"), ("a\ud800b", "a\\ud800b"), ("🦉", "🦉")])
def test_what_cannot_be_stored_stays_readable(text: str, cleaned: str) -> None:
    """Bad characters are written out, not dropped."""
    assert clean(text) == cleaned

"""Durations, moments and addresses in words."""

from datetime import UTC, datetime, timedelta

import pytest

from opwright.admin.words import address, duration, listed, relative


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "<1 ms"), (0.0004, "<1 ms"), (0.012, "12 ms"), (1.234, "1.23 s"),
        (59.94, "59.9 s"), (59.999, "1 min"), (0.9999, "1 s"),
        (60, "1 min"), (192, "3 min 12 s"), (3600, "1 h"), (3601, "1 h"), (7500, "2 h 5 min"), (86_400 * 40 + 7200, "40 d 2 h"),
    ],
)  # fmt: skip
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(("seconds", "words"), [(0.5, "now"), (-90, "1 min 30 s ago"), (5, "in 5 s"), (-3600, "1 h ago")])
def test_moments(seconds: float, words: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert relative(now + timedelta(seconds=seconds), now) == words


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://app:hidden@host/db",
        "postgresql://app:hid@den@host/db",
        "postgresql://:hidden@host/db",
        "postgresql://app@host/db?password=hidden&x=1",
        "cannot reach 'postgresql://app:hidden@host:5432/db?pooled=true&listen_url=postgresql://app:hidden@host/db'",
    ],
)
def test_no_password_is_shown(text: str) -> None:
    shown = address(text)
    assert "***" in shown
    assert "den" not in shown
    assert "host" in shown


def test_an_address_without_a_password_is_left_alone() -> None:
    for text in ("postgresql://app@host:5432/db", "sqlite:///file.db", "sqlite:////a/b@c.db"):
        assert address(text) == text


def test_very_many_names_are_cut() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed([str(number) for number in range(10)], most=2) == "0, 1 and 8 more"

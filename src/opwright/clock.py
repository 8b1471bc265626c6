"""Where time comes from.

Times are integers: microseconds since 1970-01-01 UTC. What is *decided* by time (leases, due dates, ages) is decided by the
database's clock, so that hosts need not agree: ``Clock.stamp()`` is ``None`` in production and each statement reads its
engine's clock. A test hands in a clock that it can turn. Monotonic time only ever shortens trust.

This module alone reads the local clock.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from opwright.errors import InvalidOperation

MICROSECOND = 1
MILLISECOND = 1_000
SECOND = 1_000_000

# CLOCK_MONOTONIC of Linux stands still while the machine is suspended, and leases lapse meanwhile; that of macOS goes on.
_AWAKE_OR_ASLEEP = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp()) * SECOND


class Clock(Protocol):
    """What a part of Opwright may ask about time."""

    def stamp(self) -> int | None:
        """The time that statements are to use, or ``None`` for the engine's own clock."""

    def now(self) -> int:
        """The best local guess of the time, in microseconds; for ids and for what people read, never for a decision."""

    def monotonic(self) -> float:
        """Seconds that never run backwards, for measuring and for shortening trust. A machine that sleeps ages by them."""


class SystemClock:
    """The clock of production: statements ask the database, local readings come from the machine."""

    def stamp(self) -> int | None:
        return None

    def now(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.clock_gettime(_AWAKE_OR_ASLEEP)


class TurnedClock:
    """A clock that stands still until it is turned. Every statement then uses its time."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = microseconds(start or datetime(2026, 1, 1, tzinfo=UTC))
        self._monotonic = 0.0

    def stamp(self) -> int | None:
        return self._now

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def turn(self, seconds: float) -> None:
        """Move on by so many seconds; a negative number is a clock set back, which leaves monotonic time alone."""
        self._now += round(seconds * SECOND)
        self._monotonic += max(seconds, 0.0)


def microseconds(moment: datetime) -> int:
    """An aware datetime as microseconds since 1970.

    Raises InvalidOperation for a naive one: which instant it means would depend on the reader's machine.
    """
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise InvalidOperation(
            f"start_at: {moment!r} has no time zone; write for example datetime.now(UTC) or .astimezone()",
            field="start_at",
        )
    value = (moment - _EPOCH) // timedelta(microseconds=1)
    if not 0 <= value < _LATEST:
        raise InvalidOperation(f"start_at: {moment!r} lies outside the years 1970 to 9998", field="start_at")
    return value


def moment(value: int) -> datetime:
    """Microseconds since 1970 as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=value)

"""How an operation may be tried again, and how long it may take."""

from __future__ import annotations

import msgspec

from opwright.errors import InvalidOperation

SMALLEST_PRIORITY, LARGEST_PRIORITY = -100, 100
MOST_TRIES = 10_000
LONGEST_NAME = 200
SHORTEST, LONGEST = 1e-6, 100 * 365 * 86_400.0  # seconds


def _whole(field: str, value: object) -> None:
    if type(value) is not int or not 0 <= value <= MOST_TRIES:
        raise InvalidOperation(f"{field}: {value!r} is not a whole number from 0 to {MOST_TRIES}", field=field)


def _number(field: str, name: str, value: object, low: float, high: float) -> None:
    """Refuse what is no finite number within its bounds; True is no number."""
    if type(value) not in (int, float) or not low <= value <= high:  # type: ignore[operator]
        what = field if name == field else f"{field}: {name}"
        raise InvalidOperation(f"{what}: {value!r} is not a number from {low:g} to {high:g}", field=field)


class Backoff(msgspec.Struct, frozen=True, omit_defaults=True):
    """The pause before each retry, in seconds: ``first``, then ``factor`` times as long each time, at most ``longest``.

    ``jitter`` is the share by which a pause may be shorter or longer, so that what failed together does not return together.
    """

    first: float = 15.0
    factor: float = 2.0
    longest: float = 3600.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        _number("backoff", "first", self.first, 0, LONGEST)
        _number("backoff", "factor", self.factor, 1, LONGEST)
        _number("backoff", "longest", self.longest, 0, LONGEST)
        _number("backoff", "jitter", self.jitter, 0, 1)

    def pause(self, errors: int, draw: float) -> float:
        """Seconds before the retry that follows the ``errors``-th error; ``draw`` is a random number from 0 to 1."""
        try:
            plain = min(self.first * self.factor ** (errors - 1), self.longest)
        except OverflowError:  # beyond any float, so beyond ``longest``
            plain = self.longest if self.first else 0.0
        return plain * (1 + self.jitter * (2 * draw - 1))


class Options(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the row of an operation keeps about its budgets; resolved at submit, so a later program changes no old row.

    ``retries``: errors of the trigger that may be followed by another attempt; 0, because it may already have sent the mail.
    ``recoveries``: deaths of its worker or host that may be. ``timeout``: seconds one attempt may take.
    """

    retries: int = 0
    recoveries: int = 3
    timeout: float | None = None
    backoff: Backoff = Backoff()

    def __post_init__(self) -> None:
        _whole("retries", self.retries)
        _whole("recoveries", self.recoveries)
        if self.timeout is not None:
            _number("timeout", "timeout", self.timeout, SHORTEST, LONGEST)
        if not isinstance(self.backoff, Backoff):
            raise InvalidOperation(f"backoff: {self.backoff!r} is neither a Backoff nor a number of seconds", field="backoff")

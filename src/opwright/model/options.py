"""How an operation may be tried again, and how long it may take."""

from __future__ import annotations

import msgspec

from opwright.errors import InvalidOperation

SMALLEST_PRIORITY, LARGEST_PRIORITY = -100, 100
MOST_TRIES = 10_000
LONGEST_NAME = 200


class Backoff(msgspec.Struct, frozen=True, omit_defaults=True):
    """The pause before each retry, in seconds: ``first``, then ``factor`` times as long each time, at most ``longest``.

    ``jitter`` is the share by which a pause may be shorter or longer, so that what failed together does not return together.
    """

    first: float = 15.0
    factor: float = 2.0
    longest: float = 3600.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        infinite = float("inf")
        pauses = 0 <= self.first < infinite and 0 <= self.longest < infinite
        if not (pauses and 1 <= self.factor < infinite and 0 <= self.jitter <= 1):
            raise InvalidOperation(
                f"backoff: {self} needs first and longest from 0, factor from 1, jitter from 0 to 1, all finite",
                field="backoff",
            )

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
        if self.timeout is not None and not 0 < self.timeout < float("inf"):
            raise InvalidOperation(f"timeout: {self.timeout!r} is not a positive number of seconds", field="timeout")


def _whole(field: str, value: int) -> None:
    if type(value) is not int or not 0 <= value <= MOST_TRIES:
        raise InvalidOperation(f"{field}: {value!r} is not a whole number from 0 to {MOST_TRIES}", field=field)

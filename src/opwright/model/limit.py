"""A limit: how many operations may run at once, or begin in a period, over all hosts."""

from __future__ import annotations

import hashlib

import msgspec

from opwright.errors import InvalidOperation
from opwright.model.options import LONGEST, SHORTEST

MOST = 10_000
LONGEST_LANE = 200


class Limit(msgspec.Struct, frozen=True):
    """At most ``n`` at once; with ``per``, at most ``n`` begin in so many seconds. ``by`` an input: for each of its values apart.

    An operation keeps the limit that it was submitted with. Raises InvalidOperation for what is no limit.
    """

    n: int
    by: str | None = None
    per: float | None = None

    def __post_init__(self) -> None:
        if type(self.n) is not int or not 1 <= self.n <= MOST:
            raise InvalidOperation(f"limit: n: {self.n!r} is not a whole number from 1 to {MOST}", field="limit")
        if self.by is not None and not str(self.by).isidentifier():
            raise InvalidOperation(f"limit: by: {self.by!r} is not the name of an input", field="limit")
        if self.per is not None and not _is_time(self.per):
            raise InvalidOperation(f"limit: per: {self.per!r} is not a positive number of seconds", field="limit")

    def lane(self, owner: str, value: str | None) -> str:
        """What all operations share that this limit counts together; ``value`` is the JSON text of the input ``by``."""
        text = owner if self.by is None else f"{owner} {self.by}={value}"
        if len(text) <= LONGEST_LANE:
            return text
        return f"{text[: LONGEST_LANE - 41]}#{hashlib.sha256(text.encode()).hexdigest()[:40]}"


def _is_time(value: object) -> bool:
    return type(value) in (int, float) and SHORTEST <= value <= LONGEST  # type: ignore[operator]

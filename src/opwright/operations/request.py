"""The options of a submit that are not budgets: when, where, how urgent, under which key, on whose transaction."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from opwright.clock import SECOND, microseconds
from opwright.errors import InvalidOperation
from opwright.model.operation import OnConflict
from opwright.model.options import LARGEST_PRIORITY, LONGEST_NAME, SMALLEST_PRIORITY

_NAME = re.compile(r"[^\s\x00-\x1f\ud800-\udfff](?:[^\x00-\x1f\ud800-\udfff]*[^\s\x00-\x1f\ud800-\udfff])?")
LONGEST_DELAY = 100 * 365 * 86_400
MOST_PREDECESSORS = 100_000


@dataclass(frozen=True, slots=True)
class Request:
    """Checked options; ``due`` and ``wait`` are microseconds, at most one of them set."""

    queue: str = "default"
    priority: int = 0
    due: int | None = None
    wait: int | None = None
    key: str | None = None
    on_conflict: OnConflict = OnConflict.FAIL
    on: object | None = None
    notify: bool = True
    submitter: str | None = None
    after: tuple[int, ...] | None = None
    despite: bool | None = None  # None reads False; left out of what is written

    def changed(
        self,
        *,
        start_at: datetime | None,
        delay: float | None,
        on_conflict: str | None,
        submitter: object,
        after: object,
        **plain: Any,
    ) -> Request:
        """The request with what was given in its place. Raises InvalidOperation, which names the option."""
        given = {name: value for name, value in plain.items() if value is not None}
        if start_at is not None and delay is not None:
            raise InvalidOperation("start_at and delay say the same thing twice; give one of them", field="delay")
        if start_at is not None:
            given |= {"due": _instant(start_at), "wait": None}
        if delay is not None:
            given |= {"due": None, "wait": _pause(delay)}
        if on_conflict is not None:
            given["on_conflict"] = _conflict(on_conflict)
        if submitter is not None:
            given["submitter"] = checked_name("submitter", getattr(submitter, "name", submitter))
        if after is not None:
            given["after"] = _predecessors(after)
        changed = replace(self, **given)
        if on_conflict is not None and changed.key is None:
            raise InvalidOperation(
                f"on_conflict: {on_conflict!r} says what to do about a key: give a key too", field="on_conflict"
            )
        return changed

    def __post_init__(self) -> None:
        checked_name("queue", self.queue)
        if self.key is not None:
            checked_name("key", self.key)
        if type(self.priority) is not int or not SMALLEST_PRIORITY <= self.priority <= LARGEST_PRIORITY:
            raise InvalidOperation(
                f"priority: {self.priority!r} is not a whole number from {SMALLEST_PRIORITY} to {LARGEST_PRIORITY}",
                field="priority",
            )


def checked_name(field: str, value: object) -> str:
    """A name that can be stored, shown and typed. Raises InvalidOperation."""
    if not isinstance(value, str) or not _NAME.fullmatch(value) or len(value) > LONGEST_NAME:
        shown = repr(value)[:60]
        raise InvalidOperation(
            f"{field}: {shown} must be 1 to {LONGEST_NAME} printable characters without blanks at the ends", field=field
        )
    return value


def _instant(value: object) -> int:
    if not isinstance(value, datetime):
        raise InvalidOperation(f"start_at: {value!r} is not a datetime", field="start_at")
    return microseconds(value)


def _pause(value: object) -> int:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= LONGEST_DELAY:  # type: ignore[operator]
        raise InvalidOperation(f"delay: {value!r} is not a number of seconds from 0 to {LONGEST_DELAY}", field="delay")
    return round(value * SECOND)  # type: ignore[operator]


def _conflict(value: object) -> OnConflict:
    try:
        return OnConflict(value)
    except ValueError:
        names = ", ".join(option.value for option in OnConflict)
        raise InvalidOperation(f"on_conflict: {value!r} is none of {names}", field="on_conflict") from None


def _predecessors(value: object) -> tuple[int, ...] | None:
    """The ids of the operations to follow, each once."""
    if not isinstance(value, Iterable) or isinstance(value, str):
        raise InvalidOperation(f"after: {value!r} is no list of handles", field="after")
    found: dict[Any, None] = dict.fromkeys(getattr(one, "id", one) for one in value)
    for one in found:
        if type(one) is not int or not 0 < one < 1 << 63:
            raise InvalidOperation(f"after: {one!r} is neither a handle nor the id of an operation", field="after")
    if len(found) > MOST_PREDECESSORS:
        raise InvalidOperation(f"after: {len(found):,} operations; at most {MOST_PREDECESSORS:,} can be followed", field="after")
    return tuple(found) or None

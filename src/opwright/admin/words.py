"""Durations, moments and addresses in words."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime

_PASSWORD = re.compile(r"(://[^:/@\s]*):[^\s?]*@|((?:password|listen_url)=)[^&\s]*")
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def address(text: str) -> str:
    """A text with the password of every address in it hidden."""
    return _PASSWORD.sub(lambda found: f"{found[1]}:***@" if found[2] is None else f"{found[2]}***", text)


def duration(seconds: float, units: int = 2) -> str:
    """How long, in at most so many units: ``12 ms``, ``1.24 s``, ``3 min 12 s``."""
    seconds = max(seconds, 0.0)
    if seconds < 0.001:
        return "<1 ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.3g} s"
    rest, words = round(seconds), list[str]()
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count or words:
            words.append(f"{count} {unit}")
    return " ".join(word for word in words[:units] if not word.startswith("0 "))


def relative(at: datetime, now: datetime, units: int = 2) -> str:
    """When, as seen from now: ``3 min ago``, ``in 5 s``."""
    seconds = (now - at).total_seconds()
    if abs(seconds) < 1:
        return "now"
    words = duration(abs(round(seconds)), units)
    return f"{words} ago" if seconds > 0 else f"in {words}"


def listed(names: Collection[str], most: int = 8) -> str:
    """Names with commas, the first few of very many."""
    shown = ", ".join(list(names)[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"

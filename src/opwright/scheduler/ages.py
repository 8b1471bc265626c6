"""How long something has given no sign of life, by time in which this host itself moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from opwright.clock import Clock

K = TypeVar("K")


class Ages(Generic[K]):
    """Ages of whatever is looked at now and then; at most ``gap`` seconds are counted between two looks.

    A clock that is set forward makes nobody old, and neither does a pause of the whole machine: what stood still together
    with its judge is not to be blamed. An age can be too low by the time between two looks, never too high.
    """

    def __init__(self, clock: Clock, gap: float) -> None:
        self._clock = clock
        self._gap = gap
        self._looked = clock.monotonic()
        self._moved = 0.0
        self._since: dict[K, tuple[object, float]] = {}

    def look(self, signs: Mapping[K, object]) -> dict[K, float]:
        """The age in seconds of each that is there now. ``signs``: for each a value that changes with every sign of life."""
        now = self._clock.monotonic()
        self._moved += min(now - self._looked, self._gap)
        self._looked = now
        self._since = {key: self._known(key, sign) for key, sign in signs.items()}
        return {key: self._moved - since for key, (_, since) in self._since.items()}

    def _known(self, key: K, sign: object) -> tuple[object, float]:
        known = self._since.get(key)
        return known if known is not None and known[0] == sign else (sign, self._moved)

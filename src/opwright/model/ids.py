"""Ids and claim tokens: 63 bits, ordered by time, made where they are needed.

41 bits of milliseconds since 2024 and 22 bits that start at random in each millisecond and are counted up within the process.
A process never makes the same id twice and its ids rise strictly, also when the clock is set back. Two processes meet only if
they draw neighbouring numbers in the same millisecond: for single ids one chance in two million, for a block of n about n times
that. The primary key refuses one of them then, and a submit of our own is made once more with fresh ids.
"""

from __future__ import annotations

import secrets
import threading
import time

EPOCH_MS = 1_704_067_200_000  # 2024-01-01; 41 bits last until 2093
COUNTER_BITS = 22

_lock = threading.Lock()
_last = 0


def new_id() -> int:
    """One new id."""
    return new_ids(1)[0]


def new_ids(count: int) -> range:
    """So many consecutive new ids, in order."""
    global _last  # noqa: PLW0603 - one counter per process is the point
    with _lock:
        fresh = (_milliseconds() << COUNTER_BITS) | secrets.randbits(COUNTER_BITS - 1)
        first = max(fresh, _last + 1)
        _last = first + count - 1
        return range(first, first + count)


def made_at(identifier: int) -> int:
    """When an id was made, in microseconds since 1970, by the clock of its maker."""
    return ((identifier >> COUNTER_BITS) + EPOCH_MS) * 1000


def id_at(moment: int) -> int:
    """The smallest id that can have been made at a moment (microseconds since 1970)."""
    return max(moment // 1000 - EPOCH_MS, 0) << COUNTER_BITS


def _milliseconds() -> int:
    return max(time.time_ns() // 1_000_000 - EPOCH_MS, 1)

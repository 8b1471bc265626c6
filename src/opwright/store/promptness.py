"""The interpreter changes hands soon while a statement is on its way in another thread.

A thread that comes back from SQLite waits for Python's lock as long as the event loop is busy: 5 ms by default, after each
statement of a turn. A host that drains stood still for most of that time. Rejected: statements in the loop's own thread, which
would hold everything up while the disk flushes; and a short interval for good, because the process belongs to the application.
"""

from __future__ import annotations

import sys
from threading import Lock

SOON = 0.0002  # seconds; a tenth of a millisecond was no faster, half a millisecond slower


class Promptness:
    """A block in which the switch interval of this interpreter is short. Blocks may overlap, also in several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._blocks = 0
        self._usual = 0.0

    def __enter__(self) -> None:
        with self._lock:
            if not self._blocks:
                self._usual = sys.getswitchinterval()
                _set(min(self._usual, SOON))
            self._blocks += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._blocks -= 1
            if not self._blocks:
                _set(self._usual)


def _set(seconds: float) -> None:
    sys.setswitchinterval(seconds + 5e-7)  # it cuts to whole microseconds: what was read must not shrink when it is put back


promptly = Promptness()  # one for the interpreter, whose interval it is

"""When the blocks of one process leave an SQLite file to others, who look now and then whether it is free."""

from __future__ import annotations

import time

LET_GO = 0.003  # seconds in which our own writer has its turn, or another host: both look every one or two milliseconds
SHARE = 0.25  # of the time that blocks take is owed to whoever else may want to write


class Pauses:
    """Between two blocks that follow each other closely. All times are those of ``time.monotonic``.

    ``until``: when the next block may begin. What blocks owe is paid by the time that passes between them anyway; when a whole
    pause is owed, it is made. So one slow flush among fast ones costs nothing, and blocks in a row leave gaps that can be met.
    """

    def __init__(self) -> None:
        self.until = 0.0
        self._ended = 0.0
        self._owed = 0.0

    def left(self) -> float:
        """Seconds until the next block may begin, or less than nothing."""
        return self.until - time.monotonic()

    def after(self, began: float, ended: float, *, wanted: bool) -> None:
        """A block has ended. ``wanted``: somebody is known to wait for the file."""
        unpaid = max(self._owed - (began - self._ended), 0.0)
        self._owed, self._ended = min(unpaid + SHARE * (ended - began), 2 * LET_GO), ended
        self.until = ended + (LET_GO if wanted or self._owed >= LET_GO else 0.0)

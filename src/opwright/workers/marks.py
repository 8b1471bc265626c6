"""Which operation each slot of a worker runs, in memory that outlives the worker.

Ends are gathered before they are sent, so order alone could not tell which one a crash killed: ends that were not sent are
lost with it. So a worker marks what it begins and unmarks what ends, and the host reads the marks when it has died.
A mark costs one store.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import Self

MOST_SLOTS = 8192
_WORD = 8
_SIZE = MOST_SLOTS * _WORD  # bytes; only touched pages exist


class Marks:
    """One word for each slot: the operation in it, or 0. Mapped by both sides."""

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)  # noqa: FBT003 - the name says it
        self.fd = fd
        self._map = mmap.mmap(fd, _SIZE)
        self.words = memoryview(self._map).cast("Q")

    @classmethod
    def new(cls) -> Self:
        """The host's side; the worker inherits ``fd``."""
        with tempfile.TemporaryFile(buffering=0) as file:
            file.truncate(_SIZE)
            return cls(os.dup(file.fileno()))

    def running(self, slots: int) -> frozenset[int]:
        """The operations in so many slots."""
        return frozenset(self.words[:slots]) - {0}

    def close(self) -> None:
        """Let go of the memory."""
        self.words.release()
        self._map.close()
        os.close(self.fd)

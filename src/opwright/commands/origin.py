"""Which process a log entry comes from."""

from __future__ import annotations

import os

from opwright.model.ids import new_id


class Origin:
    """The id of this process. A fork is another process, with caches of its own, and has another id."""

    def __init__(self) -> None:
        self._process = 0
        self._id = 0

    def __call__(self) -> int:
        if self._process != os.getpid():
            self._process, self._id = os.getpid(), new_id()
        return self._id

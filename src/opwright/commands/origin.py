"""Which process a log entry comes from."""

from __future__ import annotations

import os

from opwright.model.ids import new_id

_forks = 0  # between the first process and this one


class Origin:
    """The id of this process. A fork is another process, with caches of its own, and has another id."""

    def __init__(self) -> None:
        self._forks = -1
        self._id = 0

    def __call__(self) -> int:
        if self._forks != _forks:
            self._forks, self._id = _forks, new_id()
        return self._id


def _forked() -> None:
    global _forks  # noqa: PLW0603 - what it counts belongs to the process
    _forks += 1


if hasattr(os, "register_at_fork"):  # not where nothing forks
    os.register_at_fork(after_in_child=_forked)

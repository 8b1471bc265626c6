"""Notices commits of other connections to a SQLite file, in this process and in others.

``pragma data_version`` changes when another connection has committed; it costs a few microseconds and no lock. So nothing has to
be sent, and what commits without Opwright's help (a transaction of the application) is seen all the same. Rejected: watching the
folder with inotify, which wakes for our own writes too, tells less exactly, and needs a library.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from opwright.service import Service

PERIOD = 0.02  # seconds between looks; 50 looks a second cost about 0.1 % of a core


class SqliteWatcher(Service):
    """Looks at the file's version."""

    def __init__(self, path: Path, changed: Callable[[], None]) -> None:
        super().__init__("sqlite watcher")
        self._path = path
        self._changed = changed
        self._connection: sqlite3.Connection | None = None
        self._version = -1

    async def run_once(self) -> float:
        """Look once. The first look counts as a change: what was committed before it is not known of."""
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, isolation_level=None, timeout=0)
        (version,) = self._connection.execute("pragma data_version").fetchone()
        if version != self._version:
            self._version = version
            self._changed()
        return PERIOD

    async def stop(self) -> None:
        """End, and close the file."""
        await super().stop()
        if self._connection is not None:
            with closing(self._connection):
                self._connection = None

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

from opwright.clock import Clock
from opwright.service import Service

PERIOD = 0.02  # seconds between looks
REST_PERIOD = 0.04  # the same when nothing has changed for REST_AFTER: what a look costs is the waking up
REST_AFTER = 0.5  # seconds; a host renews its own lease every few, which is a change too


class SqliteWatcher(Service):
    """Looks at the file's version."""

    def __init__(self, path: Path, changed: Callable[[], None], clock: Clock) -> None:
        super().__init__("sqlite watcher")
        self._path = path
        self._changed = changed
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._version = -1
        self._changed_at = 0.0

    async def run_once(self) -> float:
        """Look once. The first look counts as a change: what was committed before it is not known of."""
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, isolation_level=None, timeout=0)
        (version,) = self._connection.execute("pragma data_version").fetchone()
        now = self._clock.monotonic()
        if version != self._version:
            self._version, self._changed_at = version, now
            self._changed()
        return PERIOD if now - self._changed_at < REST_AFTER else REST_PERIOD

    async def stop(self) -> None:
        """End, and close the file."""
        await super().stop()
        if self._connection is not None:
            with closing(self._connection):
                self._connection = None

"""Notices commits of other connections to a SQLite file, in this process and in others.

``pragma data_version`` changes when another connection has committed; it costs a few microseconds and no lock. So nothing has to
be sent, and what commits without Opwright's help (a transaction of the application) is seen all the same. What costs is waking
up to look, so a file at rest has a bell at its log: a commit is written there first, and looked for until it can be seen.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from opwright.clock import Clock
from opwright.service import Service
from opwright.telemetry import emit
from opwright.watch.bell import Bell

PERIOD = 0.02  # seconds between looks while the file changes
SOON = 0.001  # until the second look when the bell has rung; then twice as long each time: a commit takes what its flush takes
LONGEST = 0.5  # the longest of these pauses
REST = 1.0  # between looks while the bell is silent, in case it is broken
MISSES = 3  # commits in a row that did not ring it: then it is
REST_PERIOD = 0.04  # without a bell, between looks when nothing has changed for REST_AFTER
REST_AFTER = 0.5  # seconds; a host renews its own lease every few, which is a change too


class SqliteWatcher(Service):
    """Looks at the file's version, when the bell rings and while the file changes."""

    def __init__(
        self, path: Path, changed: Callable[[], None], clock: Clock, bell: Callable[[Path], Bell | None] = Bell.at
    ) -> None:
        super().__init__("sqlite watcher")
        self._path = path
        self._changed = changed
        self._clock = clock
        self._make_bell = bell
        self._connection: sqlite3.Connection | None = None
        self._bell: Bell | None = None
        self._listening = False
        self._missed = 0
        self._version = -1
        self._changed_at = 0.0
        self._pause = PERIOD

    async def run_once(self) -> float:
        """Look once. The first look counts as a change: what was committed before it is not known of."""
        if self._connection is None:
            self._open()
        heard = self._bell is not None and self._bell.rung()  # before the look: what is written from now on rings again
        changed = self._look()
        if self._bell is None:
            return PERIOD if self._clock.monotonic() - self._changed_at < REST_AFTER else REST_PERIOD
        self._judge_bell(heard=heard, changed=changed)
        self._pause = self._next_pause(heard=heard, changed=changed)
        self._listen(self._pause > PERIOD)
        return self._pause

    async def stop(self) -> None:
        """End, and close the file."""
        await super().stop()
        self._drop_bell()
        if self._connection is not None:
            with closing(self._connection):
                self._connection = None

    def _open(self) -> None:
        self._connection = sqlite3.connect(self._path, isolation_level=None, timeout=0)
        self._connection.execute("pragma data_version").fetchone()  # makes the log, which stays while a connection is open
        self._bell = None if self._missed >= MISSES else self._make_bell(Path(f"{self._path.resolve()}-wal"))

    def _look(self) -> bool:
        """Whether anybody has committed since the last look."""
        assert self._connection is not None  # noqa: S101 - run_once has opened it
        (version,) = self._connection.execute("pragma data_version").fetchone()
        if version == self._version:
            return False
        self._version, self._changed_at = version, self._clock.monotonic()
        self._changed()
        return True

    def _next_pause(self, *, heard: bool, changed: bool) -> float:
        if changed:
            return PERIOD
        if heard:  # something is written, and not committed yet
            return SOON if self._pause > PERIOD else min(2 * self._pause, PERIOD)
        return 2 * self._pause if self._pause <= LONGEST / 2 else REST

    def _judge_bell(self, *, heard: bool, changed: bool) -> None:
        """A file system may know nothing of writes that others see: then the file is looked at as if there were no bell."""
        if heard:
            self._missed = 0
        elif changed and self._pause >= REST:
            self._missed += 1
        if self._missed >= MISSES:
            emit("watcher.deaf", watcher=self.name)
            self._drop_bell()

    def _listen(self, wanted: bool) -> None:  # noqa: FBT001 - on or off
        """While it is looked at every few milliseconds nobody needs to be woken for each write."""
        if self._bell is None or wanted == self._listening:
            return
        self._listening = wanted
        loop = asyncio.get_running_loop()
        if wanted:
            loop.add_reader(self._bell.fd, self._rung)
        else:
            loop.remove_reader(self._bell.fd)

    def _rung(self) -> None:
        self._listen(False)  # noqa: FBT003 - off
        self.wake()

    def _drop_bell(self) -> None:
        if self._bell is not None:
            self._listen(False)  # noqa: FBT003 - off
            self._bell.close()
            self._bell = None

"""A thread that commits what the event loop has written into an SQLite file: the disk is waited for here, and not there.

It is told through a pipe. Whoever writes to that lets go of Python's lock, which the thread needs first of all; whoever puts
something into a queue keeps it, so that the thread wakes up only to wait again, for a time that is costly because it is short.

Rejected: the loop's executor, whose way there and back takes twice as long; the writer's thread, which may be waiting for this
very transaction to end; a COMMIT in the loop's thread, which would hold up everything else for as long as the disk takes, maybe
seconds; a loop that stands still for it for a bounded time (docs/design.md).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections import deque
from contextlib import suppress
from typing import NamedTuple

from opwright.store.promptness import promptly


class _Commit(NamedTuple):
    connection: sqlite3.Connection
    future: asyncio.Future[None]

    def carry_out(self) -> None:
        error: Exception | None = None
        try:
            self.connection.commit()
        except Exception as caught:  # noqa: BLE001 - it is raised where the commit was asked for
            error = caught
        with suppress(RuntimeError):  # the loop has closed: nobody waits any more
            self.future.get_loop().call_soon_threadsafe(_tell, self.future, error)


def _tell(future: asyncio.Future[None], error: Exception | None) -> None:
    if future.done():  # cancelled
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


class Committer(threading.Thread):
    """Carries out one COMMIT after the other until it is told to stop."""

    def __init__(self) -> None:
        super().__init__(name="opwright sqlite committer", daemon=True)
        self._commits: deque[_Commit | None] = deque()
        self._hears, self._tells = os.pipe()  # a byte for each of them

    def run(self) -> None:
        while (commit := self._next()) is not None:
            commit.carry_out()
            del commit  # else the connection lives until the next one
        os.close(self._hears)
        os.close(self._tells)

    async def commit(self, connection: sqlite3.Connection) -> None:
        """Commit the transaction of a connection; a cancelled call goes on in the thread. Raises what the driver does."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with promptly:
            self._hand_in(_Commit(connection, future))
            await future

    def stop(self) -> None:
        """End after what was asked for. Nothing may be asked for afterwards."""
        self._hand_in(None)

    def _hand_in(self, commit: _Commit | None) -> None:
        self._commits.append(commit)
        os.write(self._tells, b".")

    def _next(self) -> _Commit | None:
        os.read(self._hears, 1)
        return self._commits.popleft()

"""A thread that commits what the event loop has written into an SQLite file: the disk is waited for here, and not there.

Rejected: the loop's executor, whose way there and back takes nearly twice as long; the writer's thread, which may be waiting for
this very transaction to end; a COMMIT in the loop's thread, which would be a tenth of a millisecond faster, but would hold up
everything else for as long as the disk takes, and that may be seconds.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
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
        self._commits: queue.SimpleQueue[_Commit | None] = queue.SimpleQueue()

    def run(self) -> None:
        while (commit := self._commits.get()) is not None:
            commit.carry_out()
            del commit  # else the connection lives until the next one

    async def commit(self, connection: sqlite3.Connection) -> None:
        """Commit the transaction of a connection; a cancelled call goes on in the thread. Raises what the driver does."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with promptly:
            self._commits.put(_Commit(connection, future))
            await future

    def stop(self) -> None:
        """End after what was asked for."""
        self._commits.put(None)

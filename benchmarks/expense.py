"""What work has cost, whoever did it: processor time of every process, and what the server wrote.

Processor time says more than wall time on a machine that others use as well.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self

import asyncpg
import psutil

WRITTEN = (
    "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
)


@dataclass(frozen=True, slots=True)
class Expense:
    """Seconds of processor time here, in our child processes and in the server; bytes of WAL; transactions that wrote."""

    here: float
    children: float
    server: float
    wal: int
    writes: int

    def since(self, earlier: Self) -> "Expense":
        """What was added meanwhile."""
        return Expense(
            self.here - earlier.here, self.children - earlier.children, self.server - earlier.server,
            self.wal - earlier.wal, self.writes - earlier.writes,
        )  # fmt: skip


class Meter:
    """Reads the expense of this process, its children and a server on this machine; its own connection must be closed."""

    def __init__(self, connection: Any, server: psutil.Process) -> None:
        self._connection = connection
        self._server = server

    @classmethod
    async def on(cls, url: str) -> Self:
        """A meter of the server at this address."""
        connection = await asyncpg.connect(url)
        backend = psutil.Process(connection.get_server_pid())
        server = backend.parent()
        assert server
        return cls(connection, server)

    async def read(self) -> Expense:
        """The sums up to now."""
        wal, writes = await self._connection.fetchrow(WRITTEN)
        children = sum(_seconds(child) for child in psutil.Process().children(recursive=True))
        return Expense(time.process_time(), children, self._served(), wal, writes)

    async def close(self) -> None:
        """Disconnect."""
        await self._connection.close()

    def _served(self) -> float:
        """Every process of the server, and those that have ended."""
        times = self._server.cpu_times()
        return float(times.children_user + times.children_system + sum(_seconds(one) for one in self._server.children()))


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def each(function: Callable[[int], Awaitable[object]], times: int) -> tuple[float, ...]:
    """Microseconds of processor time of an awaited call with one argument, always the same; of five turns."""
    await function(1)
    costs = []
    for _ in range(5):
        called = time.process_time()
        for _ in range(times):
            await function(1)
        costs.append((time.process_time() - called) / times * 1e6)
    return tuple(costs)

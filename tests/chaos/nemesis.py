"""Carries out the plan: each fault as soon as so many operations have ended."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import asyncpg
import psutil

from tests.chaos.fleet import Fleet
from tests.chaos.plan import Fault, Kind
from tests.servers import PostgresServer

T = TypeVar("T")
LOOK = 0.05  # seconds
CONNECTIONS = 3  # that are cut at once, at most
LOOKS = 50
SESSIONS = """
select pid from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
  and (state = 'active' or not $1) order by pid
"""


class Nemesis:
    """``progress`` tells how many operations have ended; ``say`` is told what is done."""

    def __init__(
        self, fleet: Fleet, server: PostgresServer, url: str, plan: list[Fault],
        *, progress: Callable[[], int], say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.done: Counter[str] = Counter()
        self._fleet, self._server, self._url = fleet, server, url
        self._plan = plan
        self._progress, self._say = progress, say
        self._stopped: set[asyncio.Task[None]] = set()
        self._ways: dict[Kind, Callable[[Fault], Awaitable[str]]] = {
            Kind.KILL_WORKER: self._kill_worker,
            Kind.KILL_HOST: self._kill_host,
            Kind.STOP_HOST: self._stop_host,
            Kind.STOP_ALL: self._stop_all,
            Kind.STOP_WORKER: self._stop_worker,
            Kind.CUT: self._cut,
            Kind.KILL_SUBMITTER: self._kill_submitter,
            Kind.RESTART: self._restart,
        }

    async def run(self) -> None:
        """Every fault, and then until nobody is stopped any more."""
        for fault in self._plan:
            while self._progress() < fault.at:  # noqa: ASYNC110 - what is waited for happens in another process
                await asyncio.sleep(LOOK)
            whom = await self._ways[fault.kind](fault)
            self.done[str(fault.kind)] += bool(whom)
            self._say(f"{fault}: {whom or 'nobody was there'}")
        if self._stopped:
            await asyncio.wait(self._stopped)

    async def _kill_worker(self, fault: Fault) -> str:
        worker = _pick(self._fleet.workers(), fault.draw)
        if worker is None:
            return ""
        return self._signal([worker], signal.SIGKILL)

    async def _kill_host(self, fault: Fault) -> str:
        host = _pick(self._fleet.hosts, fault.draw)
        if host is None:
            return ""
        self._fleet.kill(host)
        return f"{host.name}, {host.pid}"

    async def _stop_host(self, fault: Fault) -> str:
        return self._stop_with(fault, workers=False)

    async def _stop_all(self, fault: Fault) -> str:
        return self._stop_with(fault, workers=True)

    def _stop_with(self, fault: Fault, *, workers: bool) -> str:
        host = _pick(self._fleet.hosts, fault.draw)
        if host is None:
            return ""
        below = host.children() if workers else []
        with suppress(psutil.NoSuchProcess):
            self._stop([psutil.Process(pid) for pid in (host.pid, *below)], fault.seconds)
        return f"{host.name}, {host.pid}" + (f" with {len(below)} workers" if workers else "")

    async def _stop_worker(self, fault: Fault) -> str:
        worker = _pick(self._fleet.workers(), fault.draw)
        if worker is None:
            return ""
        self._stop([worker], fault.seconds)
        return str(worker.pid)

    async def _cut(self, fault: Fault) -> str:
        """Connections of hosts, workers and submitters."""
        chance = random.Random(fault.draw)
        try:
            connection = await asyncpg.connect(self._url)
            try:
                sessions = await _sessions(connection, busy=fault.mode == "busy")
                cut = chance.sample(sessions, min(len(sessions), chance.randint(1, CONNECTIONS)))
                await connection.execute("select pg_terminate_backend(pid) from unnest($1::integer[]) as pid", cut)
            finally:
                await connection.close()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
            return ""
        return f"{len(cut)} of {len(sessions)}"

    async def _kill_submitter(self, fault: Fault) -> str:
        submitter = _pick([one for one in self._fleet.submitters if one.poll() is None], fault.draw)
        if submitter is None:
            return ""
        submitter.kill()
        return str(submitter.pid)

    async def _restart(self, fault: Fault) -> str:
        await asyncio.to_thread(self._server.restart, "immediate" if fault.mode == "immediate" else "fast")
        return "done"

    def _stop(self, processes: list[psutil.Process], seconds: float) -> None:
        self._signal(processes, signal.SIGSTOP)
        task = asyncio.create_task(self._wake(processes, seconds))
        self._stopped.add(task)
        task.add_done_callback(self._stopped.discard)

    async def _wake(self, processes: list[psutil.Process], seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._signal(processes, signal.SIGCONT)

    @staticmethod
    def _signal(processes: list[psutil.Process], number: signal.Signals) -> str:
        """By psutil, which never meets another process that got the number meanwhile."""
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        return ", ".join(str(process.pid) for process in processes)


async def _sessions(connection: asyncpg.Connection, *, busy: bool) -> list[int]:
    """Server processes, by their ids. A statement is short, so who is to be met busy is looked for more than once."""
    for _ in range(LOOKS):
        if sessions := [row["pid"] for row in await connection.fetch(SESSIONS, busy)]:
            return sessions
    return []


def _pick(among: list[T], draw: float) -> T | None:
    return among[int(draw * len(among))] if among else None

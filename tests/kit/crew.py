"""Several hosts of one application, of which the test kills workers and whole hosts at random."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.kit.diary import Diary
from tests.kit.processes import HostProcess
from tests.kit.trade import Trade

LEASE, RENEW = 1.0, 0.2


class Crew:
    """So many hosts with short leases. A host that is killed is followed by a new one."""

    def __init__(self, url: str, folder: Path, *, hosts: int = 2, workers: int = 2, module: str = Trade.module) -> None:
        self._url = url
        self._folder = folder
        self._size = hosts
        self._workers = workers
        self._module = module
        self._stack = ExitStack()
        self._started = 0
        self.hosts: list[HostProcess] = []
        self.kills = 0
        self.diary = Diary(folder)

    async def __aenter__(self) -> Self:
        with self._stack:
            for _ in range(self._size):
                self._start()
            for host in self.hosts:
                await host.ready()
            self._stack = self._stack.pop_all()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)

    def _start(self) -> None:
        self._started += 1
        host = HostProcess(
            self._url, self._folder, f"host{self._started}", module=self._module,
            workers=self._workers, lease=LEASE, renew=RENEW, heartbeat=0.5,
        )  # fmt: skip
        self.hosts.append(self._stack.enter_context(host))

    def workers(self) -> list[int]:
        """Every live worker."""
        return [pid for host in self.hosts for pid in host.children()]

    def kill_worker(self, chance: random.Random) -> None:
        """Kill one of the workers that are heated; the diary knows of it before the worker does."""
        heated = {event.fields["pid"] for host in self.hosts for event in host.events("worker.ready")}
        if workers := [pid for pid in self.workers() if pid in heated]:
            self._kill(chance.choice(workers))

    async def kill_host(self, chance: random.Random) -> None:
        """Kill a host with all its workers, and start another one."""
        victim = chance.choice(self.hosts)
        self.hosts.remove(victim)
        for pid in victim.children():
            self.diary.write("killed", str(pid))
        victim.kill()
        self._start()
        await self.hosts[-1].ready()

    @asynccontextmanager
    async def rage(self, chance: random.Random, *, pause: float, hosts: int) -> AsyncIterator[None]:
        """During the block kill a worker every ``pause`` seconds or so, and instead of each tenth a host, ``hosts`` at most."""
        task = asyncio.create_task(self._rage(chance, pause, hosts))
        try:
            yield
            assert not task.done(), "nothing was killed any more"
        finally:
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            await task

    async def _rage(self, chance: random.Random, pause: float, hosts: int) -> None:
        while True:
            await asyncio.sleep(chance.uniform(0, 2 * pause))
            self.kills += 1
            if hosts and self.kills % 10 == 0:
                hosts -= 1
                await self.kill_host(chance)
            else:
                self.kill_worker(chance)

    def _kill(self, pid: int) -> None:
        self.diary.write("killed", str(pid))
        with suppress(ProcessLookupError):  # it died of something else meanwhile
            os.kill(pid, signal.SIGKILL)

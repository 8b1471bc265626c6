"""A peer's program in its own interpreter: steps that end and say what they measured, and the worker that goes on."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.peers.environments import BUILD, ROOT, command
from benchmarks.peers.peer import Peer

STEP = 150  # seconds that a step of a program may take


class ProgramFailed(Exception):
    """A peer's program ended with an error; its last lines."""


@dataclass(frozen=True, slots=True)
class Program:
    """The program of a peer on one fresh database, and the journal where its worker tells what ran and when."""

    peer: Peer
    url: str
    command: tuple[str, ...]
    environment: dict[str, str]
    journal: Path
    logs: Path

    @classmethod
    async def of(cls, peer: Peer, url: str, folder: Path) -> Self:
        """The program in its environment. Raises Unavailable."""
        journal = folder / "journal"
        journal.touch()
        told = {
            "PEER_URL": url,
            "PEER_HOME": str(BUILD / peer.name),
            "PEER_JOURNAL": str(journal),
            "PEER_SETTINGS": json.dumps(dict(peer.settings)),
            "PYTHONPATH": str(ROOT),
        }
        return cls(peer, url, tuple(await asyncio.to_thread(command, peer)), {**os.environ, **told}, journal, BUILD)

    async def step(self, name: str, count: int = 0) -> Any:
        """Run one step to its end; what it says on its last line. Raises ProgramFailed."""
        async with self._started(name, count) as process:
            assert process.stdout
            try:  # communicate() would end the input, and with it the program
                said = await asyncio.wait_for(process.stdout.read(), STEP)
            except TimeoutError:
                raise ProgramFailed(f"{name} of {self.peer.name} was not over after {STEP} s") from None
            await process.wait()
        if process.returncode:
            raise ProgramFailed(f"{name} of {self.peer.name}: {self._complaint(name)}")
        return json.loads(said.decode().strip().rpartition("\n")[2])

    @asynccontextmanager
    async def working(self, count: int = 0) -> AsyncIterator[asyncio.subprocess.Process]:
        """A worker that tells the first and the last of so many jobs, or of each job when it began.

        What was waited for in vain is told with the worker's last words, as ProgramFailed.
        """
        try:
            async with self._started("work", count) as process:
                yield process
        except TimeoutError as vain:
            raise ProgramFailed(f"{vain}; its worker said: {self._complaint('work')}") from vain

    def told(self) -> list[tuple[str, float]]:
        """What the worker told so far: labels and seconds by the clock of all processes."""
        lines = self.journal.read_text().splitlines()
        return [(label, int(moment) / 1e9) for label, _, moment in (line.partition(" ") for line in lines)]

    @asynccontextmanager
    async def _started(self, name: str, count: int) -> AsyncIterator[asyncio.subprocess.Process]:
        with self._log(name).open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *self.command, name, str(count), cwd=ROOT, env=self.environment, start_new_session=True,
                stdin=asyncio.subprocess.PIPE, stdout=log if name == "work" else asyncio.subprocess.PIPE, stderr=log,
            )  # fmt: skip
        try:
            yield process
        finally:
            _end(process)
            await process.wait()

    def _log(self, step: str) -> Path:
        return self.logs / f"{self.peer.name}.{step}.log"

    def _complaint(self, step: str) -> str:
        return " | ".join(self._log(step).read_text(errors="replace").strip().splitlines()[-3:])


def _end(process: asyncio.subprocess.Process) -> None:
    """End the program and whatever it started: they share a session of their own, and the data is thrown away."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:  # all of them have ended
        return

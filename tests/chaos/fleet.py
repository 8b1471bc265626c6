"""The processes of a run: two hosts and some submitters. Whoever ends before its time is started again."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

import psutil

from opwright.settings import Overrides
from tests.chaos.application import Application
from tests.chaos.journal import SUFFIX
from tests.chaos.plan import LEASE
from tests.kit.diary import FOLDER
from tests.kit.events import Event
from tests.kit.processes import ROOT, HostProcess

HOSTS, WORKERS, SUBMITTERS = 2, 2, 3
SETTINGS: Overrides = {"workers": WORKERS, "lease": LEASE, "renew": 0.75, "heartbeat": 0.5, "kill_after": 1.0}


class Fleet:
    """Enter it to start the hosts; ``submit`` starts the submitters."""

    def __init__(self, url: str, folder: Path, seed: int, operations: int) -> None:
        self._url, self._folder, self._seed = url, folder, seed
        self._shares = [operations // SUBMITTERS + (number < operations % SUBMITTERS) for number in range(SUBMITTERS)]
        self._stack = ExitStack()
        self.all: list[HostProcess] = []
        self.hosts: list[HostProcess] = []
        self.submitters: list[subprocess.Popen[bytes]] = []
        self.fallen: list[str] = []  # hosts that ended although nobody had killed them

    @property
    def marker(self) -> str:
        """What stands in the environment of every process of this run, also of those that outlived their parents."""
        return f"{FOLDER}={self._folder}"

    def __enter__(self) -> Self:
        for _ in range(HOSTS):
            self._start_host()
        return self

    def __exit__(self, *_: object) -> None:
        for submitter in self.submitters:
            submitter.kill()
            submitter.wait()
        self._stack.close()

    def submit(self) -> None:
        """Start the submitters."""
        self.submitters = [self._submitter(number) for number in range(SUBMITTERS)]

    def submitting(self) -> bool:
        """Whether any of them has not ended."""
        return any(submitter.poll() is None for submitter in self.submitters)

    def tend(self) -> None:
        """Start again whoever has ended before its time: a killed submitter, a host that met no database when it started."""
        for number, submitter in enumerate(self.submitters):
            if submitter.poll():
                if submitter.returncode != -signal.SIGKILL:
                    self.fallen.append(f"submitter {number} ended by itself; see submitter{number}.log")
                self.submitters[number] = self._submitter(number)
        for host in [host for host in self.hosts if not host.runs()]:
            if host.events("host.started"):
                self.fallen.append(f"{host.name} ended by itself: {host.log()[-1000:]}")
            self._replace(host)

    def workers(self) -> list[psutil.Process]:
        """Every live worker, by host and age."""
        found = []
        for pid in [pid for host in self.hosts for pid in host.children()]:
            with suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(pid))
        return found

    def kill(self, host: HostProcess) -> None:
        """Kill a host as it stands and start another one."""
        host.kill()
        self._replace(host)

    async def stop(self) -> None:
        """Stop every host in good order."""
        for host in self.hosts:
            host.terminate()
        for host in self.hosts:
            await host.ended(60)

    def events(self) -> list[Event]:
        """What all hosts and their workers have told, the dead ones too."""
        return [event for host in self.all for event in host.events()]

    def _replace(self, host: HostProcess) -> None:
        self.hosts.remove(host)
        self._start_host()

    def _start_host(self) -> None:
        name = f"host{len(self.all) + 1}"
        host = HostProcess(self._url, self._folder, name, module=Application.module, **SETTINGS)
        self.all.append(host)
        self.hosts.append(self._stack.enter_context(host))

    def _submitter(self, number: int) -> "subprocess.Popen[bytes]":
        journal = self._folder / f"{number}{SUFFIX}"
        arguments = [str(number), str(self._seed), str(self._shares[number]), str(sum(self._shares)), str(journal)]
        with (self._folder / f"submitter{number}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.submitter", *arguments],
                cwd=ROOT, env=os.environ | {"OPWRIGHT_URL": self._url, FOLDER: str(self._folder)},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

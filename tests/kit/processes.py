"""Hosts in processes of their own, and the processes beneath them."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Self, Unpack

import psutil

from opwright.settings import Overrides
from tests.kit.application import Application
from tests.kit.diary import FOLDER
from tests.kit.events import FILE, Event, read_events
from tests.kit.waiting import eventually

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0


def descendants(pid: int) -> list[int]:
    """Every live process below a process."""
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True) if is_alive(child.pid)]
    except psutil.NoSuchProcess:
        return []


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def all_ended(pids: Iterable[int], seconds: float) -> None:
    """Wait until none of the processes lives."""
    wanted = list(pids)
    await eventually(lambda: not [pid for pid in wanted if is_alive(pid)], seconds, f"the end of {wanted}")


class HostProcess:
    """``opwright run`` in a process of its own. When the block fails, what the host logged is printed."""

    def __init__(
        self, url: str, folder: Path, name: str = "host", *, module: str = Application.module, **settings: Unpack[Overrides]
    ) -> None:
        self.name = name
        self._url = url
        self._folder = folder
        self._module = module
        self._settings: Overrides = {"workers": 2, **settings}
        self._log = folder / f"{name}.log"
        self._events = folder / f"{name}.events"
        self._process: subprocess.Popen[bytes]
        self._seen: set[psutil.Process] = set()  # not numbers: another process may have got one of them meanwhile

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "opwright", "run", f"{self._module}:ops"],
                cwd=ROOT, env=self._environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            events = "\n".join(str(event) for event in self.events())
            sys.stdout.write(f"---- {self.name} {self.pid} said\n{self.log()}\n---- its events\n{events}\n")
        self.children()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
        self._process.wait()
        for child in self._seen:
            with suppress(psutil.NoSuchProcess):
                child.kill()

    def _environment(self) -> dict[str, str]:
        own = {"OPWRIGHT_URL": self._url, FOLDER: str(self._folder), FILE: str(self._events)}
        settings = {f"OPWRIGHT_{name.upper()}": _text(value) for name, value in self._settings.items() if value is not None}
        return os.environ | own | settings

    @property
    def pid(self) -> int:
        return self._process.pid

    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def log(self) -> str:
        """What it wrote to its standard streams."""
        return self._log.read_text()

    def events(self, name: str | None = None) -> list[Event]:
        """Its telemetry so far."""
        return [event for event in read_events(self._events) if name in {None, event.name}]

    def children(self) -> list[int]:
        """Its live worker processes."""
        if self._process.returncode is not None:
            return []
        found = descendants(self.pid)
        for pid in found:
            with suppress(psutil.NoSuchProcess):
                self._seen.add(psutil.Process(pid))
        return found

    async def ready(self) -> Self:
        """Wait until it is registered and every worker is heated."""
        wanted = self._settings["workers"]
        await self.until(lambda: len(self.events("worker.ready")) >= wanted and bool(self.events("host.started")), "ready")
        self.children()
        return self

    async def until(self, condition: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
        """Wait for something about this host; fail at once when it has ended instead."""

        def look() -> bool:
            done = condition()
            assert done or self._process.poll() is None, f"{self.name} ended before it was {what}:\n{self.log()}"
            return done

        await eventually(look, seconds, f"{self.name} is {what}")

    async def event(self, name: str, count: int = 1, seconds: float = 10.0) -> Event:
        """The ``count``-th event of this name."""
        await eventually(lambda: len(self.events(name)) >= count, seconds, f"{self.name}: {name}, {count} times")
        return self.events(name)[count - 1]

    @property
    def id(self) -> int:
        """Its row in the table of hosts, the newest if it had to take another."""
        number: int = self.events("host.registered")[-1].fields["host"]
        return number

    def signal(self, number: signal.Signals) -> None:
        self.children()
        self._process.send_signal(number)

    async def freeze(self) -> None:
        """Stop it between two of its transactions: one that stops within keeps every other writer off a SQLite file."""

        def frozen() -> bool:
            self.signal(signal.SIGSTOP)
            while psutil.Process(self.pid).status() != psutil.STATUS_STOPPED:
                pass
            if writable(self._url):
                return True
            self.signal(signal.SIGCONT)
            return False

        await eventually(frozen, 10, f"{self.name} is stopped while it writes nothing")

    def terminate(self) -> None:
        self.signal(signal.SIGTERM)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    async def ended(self, seconds: float = 20.0) -> int:
        """Its exit code, once it has ended."""
        await eventually(lambda: self._process.poll() is not None, seconds, f"{self.name} has ended")
        return self._process.returncode


def writable(url: str) -> bool:
    """Whether nobody holds the file's one lock for writing; a server always lets others write."""
    if not url.startswith("sqlite"):
        return True
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=0)) as file:
        try:
            file.execute("begin immediate")
        except sqlite3.OperationalError:
            return False
        file.execute("rollback")
        return True


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)

"""The command line as people use it: a folder with an application, and commands run in it."""

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from opwright.cli import main

PATIENCE = 30
INLINE = ("--pool", "inline", "--heartbeat", "0.2")

APPLICATION = '''
import asyncio, os
from datetime import date
from opwright import Opwright

ops = Opwright({url!r})

@ops.operation
def render(photo: str, width: int = 100) -> str:
    return f"{{photo}}@{{width}}"

@ops.operation
def fail(reason: str) -> None:
    raise ValueError(reason)

@ops.operation(retries=1, backoff=0.01)
async def stumble(reason: str) -> None:
    raise ValueError(reason)

@ops.operation
async def login(user: str, password: str) -> None: ...

@ops.operation
def day_after(day: date, days: int = 1) -> date:
    return date.fromordinal(day.toordinal() + days)

@ops.operation
async def hold(pipe: str, release: str) -> str:
    """Says through a pipe that it has begun, and goes on when it is told to through another."""
    await asyncio.to_thread(lambda: open(pipe, "w").close())
    return await asyncio.to_thread(lambda: open(release).read())
'''

# Beside it, for those who ask for it by ``jobs``.
JOBS = """
import asyncio
from assets import ops
from opwright import Limit, operation

@ops.operation(limit=Limit(1))
async def one_by_one(pipe: str, release: str) -> None:
    operation.log("first words\\nand more")
    operation.progress(0.4, "nearly half")
    await asyncio.to_thread(lambda: open(pipe, "w").close())
    await asyncio.to_thread(lambda: open(release).read())

@ops.operation
async def parent(children: int) -> dict[str, str]:
    for number in range(children):
        await ops.submit("render", photo=str(number))
    return {"token": "hunter2", "name": "x"}

@ops.operation
async def ask() -> str:
    return str(operation.wait(1000))

@ops.operation
async def told(password: str) -> str:
    operation.log("working")
    operation.progress(0.5, "half")
    return "done"
"""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed; nothing but JSON may be there."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Shell:
    """A folder with ``assets.py`` in it."""

    folder: Path
    url: str

    def __call__(self, *arguments: str, stdin: str | None = None, **environment: str) -> Done:
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=clean_environment() | environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def inside(self, *arguments: str, **environment: str) -> Done:
        """The same in this process, which is quicker: for the many that need not prove that the process ends."""
        out, err = io.StringIO(), io.StringIO()
        known = set(sys.modules)
        with (
            chdir(self.folder),
            patch.dict(os.environ, clean_environment() | environment, clear=True),
            patch.object(sys, "path", list(sys.path)),
            redirect_stdout(out),
            redirect_stderr(err),
            ThreadPoolExecutor(1) as thread,  # the test's own thread may run an event loop
        ):
            code = thread.submit(main, arguments).result(PATIENCE)
        for name in set(sys.modules) - known:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(self.folder)):
                del sys.modules[name]
        return Done(code, out.getvalue(), err.getvalue())

    def command(self, *arguments: str) -> list[str]:
        """What is run for these arguments."""
        return [sys.executable, "-m", "opwright", *arguments]

    def write(self, name: str, text: str) -> None:
        """One more file in the folder."""
        (self.folder / name).write_text(text)

    def pipe(self, name: str) -> str:
        """A pipe that a test and an operation speak through."""
        os.mkfifo(self.folder / name)
        return str(self.folder / name)

    def jobs(self, *arguments: str) -> str:
        """Submit one of the application's other operations; its id."""
        done = self.inside("submit", "jobs", *arguments)
        assert done.code == 0, done.err
        return done.out.split()[0]

    def in_terminal(self, *arguments: str, columns: int = 80, typed: str = "", ends_by: signal.Signals | None = None) -> Done:
        """The command in a terminal; what it printed has no colours any more. ``ends_by``: sent when it has printed something."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=clean_environment() | {"TERM": "xterm", "COLUMNS": str(columns)},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        os.write(ours, typed.encode())
        out = b""
        with suppress(OSError):  # the terminal is gone with its last user
            while part := os.read(ours, 65536):
                out += part
                if ends_by is not None and len(out) > len(typed):
                    process.send_signal(ends_by)
                    ends_by = None
        os.close(ours)
        return Done(process.wait(PATIENCE), re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out.decode()).replace("\r\n", "\n"), "")

    @contextmanager
    def host(self, *arguments: str, target: str = "assets", **environment: str) -> Iterator["RunningHost"]:
        """``opwright run`` until the block ends; it has printed its banner."""
        process = subprocess.Popen(
            self.command("run", target, *arguments),
            cwd=self.folder,
            env=clean_environment() | environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            running = RunningHost(process)
            running.read_to("triggers")
            yield running
            if process.poll() is None:
                assert running.end(signal.SIGTERM) == 0, running.said
        finally:
            process.kill()
            process.communicate()


class RunningHost:
    """A host in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""

    def read_to(self, word: str) -> None:
        """Read what it says up to a line with this word."""
        assert self.process.stderr
        for line in self.process.stderr:
            self.said += line
            if word in line:
                return
        raise AssertionError(f"{word!r} was not said: {self.said}")

    def end(self, number: signal.Signals) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        self.said += self.process.communicate(timeout=PATIENCE)[1]
        return self.process.returncode


def clean_environment() -> dict[str, str]:
    """Ours, without what would change what commands do or how they print."""
    telling = ("OPWRIGHT_", "COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "TTY_")
    return {name: value for name, value in os.environ.items() if not name.startswith(telling)}

"""uvicorn in a process of its own, as people start it."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import httpx

from tests.kit.processes import ROOT, descendants, is_alive
from tests.kit.waiting import eventually
from tests.servers import free_port


class WebServer:
    """Runs until the block ends. When the block fails, what the server logged is printed."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.port = free_port()
        self._log = folder / f"uvicorn-{self.port}.log"
        self._command = [sys.executable, "-m", "uvicorn", "--host", "127.0.0.1", "--port", str(self.port), *arguments]
        self._environment = os.environ | environment
        self._seen: set[int] = set()
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            sys.stdout.write(self.log())
        left = {*self._seen, *self.below()}
        self.process.kill()
        self.process.wait()
        for pid in filter(is_alive, left):
            os.kill(pid, signal.SIGKILL)

    def log(self) -> str:
        return self._log.read_text()

    def below(self) -> list[int]:
        """Every live process that it started."""
        found = descendants(self.process.pid)
        self._seen |= set(found)
        return found

    async def post(self, path: str) -> int:
        """Ask it to submit; the id of the operation."""
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=20) as web:
            answer = await web.post(path)
        assert answer.status_code == 201, answer.text
        return int(answer.json() if answer.headers["content-type"] == "application/json" else answer.text)

    async def up(self) -> Self:
        """Wait until it has started."""

        def look() -> bool:
            assert self.process.poll() is None, self.log()
            return "Application startup complete" in self.log()

        await eventually(look, 30, "the application has started")
        return self

    async def ended(self) -> int:
        """Its exit code, once it has ended."""
        await eventually(lambda: self.process.poll() is not None, 30, "uvicorn has ended")
        return self.process.returncode

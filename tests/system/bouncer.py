"""A real PgBouncer in transaction mode before a PostgreSQL server."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote, urlsplit

from tests.servers import as_server, free_port, give_to_server

POOL = 4  # connections to each database: fewer than its clients, so that clients really share them
CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server} user=postgres

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
admin_users = postgres
pool_mode = transaction
default_pool_size = {pool}
max_client_conn = 500
server_idle_timeout = 5
log_connections = 0
log_disconnections = 0
"""


class Bouncer:
    """Gives the address of a database as it is reached through PgBouncer."""

    def __init__(self, port: int) -> None:
        self.port = port

    def plain(self, direct: str) -> str:
        """The address, without anything that tells Opwright what stands there."""
        return f"postgresql://postgres@127.0.0.1:{self.port}{urlsplit(direct).path}"

    def pooled(self, direct: str, *, listens: bool = False) -> str:
        """The address for Opwright; with the direct one for LISTEN, percent-encoded, or without any."""
        listen = f"&listen_url={quote(direct, safe='')}" if listens else ""
        return f"{self.plain(direct)}?pooled=true{listen}"


@contextmanager
def running_bouncer(server: str) -> Iterator[Bouncer]:
    """PgBouncer before the server with this address, for as long as the block lasts."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert program, "pgbouncer is missing: tests/system/install.sh installs it"
    port = free_port()
    with TemporaryDirectory(prefix="opwright-bouncer-") as name:
        folder = Path(name)
        give_to_server(folder)
        configuration, log = folder / "pgbouncer.ini", folder / "log"
        configuration.write_text(CONFIGURATION.format(server=urlsplit(server).port, port=port, pool=POOL))
        with log.open("wb") as said:
            process = subprocess.Popen(
                [program, configuration], stdin=subprocess.DEVNULL, stdout=said, stderr=said, **as_server()
            )
        try:
            _wait_until_it_answers(process, port, log)
            yield Bouncer(port)
        finally:
            process.kill()
            process.wait()


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process.poll() is None, f"PgBouncer ended:\n{log.read_text()}"
            assert time.monotonic() < deadline, f"PgBouncer does not answer:\n{log.read_text()}"
            time.sleep(0.01)

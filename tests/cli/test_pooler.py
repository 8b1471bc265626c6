"""`opwright check` recognises PgBouncer."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pytest

from tests.cli.kit import Shell
from tests.servers import PostgresServer, free_port

pytestmark = pytest.mark.system


@pytest.fixture
def pooled_address(postgres_database: str) -> Iterator[str]:
    """The address of the same database through a PgBouncer in transaction mode."""
    direct, port = urlsplit(postgres_database), free_port()
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        settings = Path(folder, "pgbouncer.ini")
        settings.write_text(
            f"[databases]\n* = host=127.0.0.1 port={direct.port} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n".replace(
                "* =", f"{direct.path[1:]} ="
            )
        )
        program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
        user = {"user": pwd.getpwnam("nobody").pw_uid} if os.geteuid() == 0 else {}
        process = subprocess.Popen([program, str(settings)], stderr=subprocess.PIPE, text=True, **user)
        try:
            assert process.stderr
            next(line for line in process.stderr if "process up" in line)
            yield f"postgresql://postgres@127.0.0.1:{port}{direct.path}"
        finally:
            process.kill()
            process.communicate()


def test_it_is_recognised_and_the_remedy_is_right(
    local_shell: Shell, pooled_address: str, postgres_database: str, postgres_server: PostgresServer
) -> None:
    refused = local_shell("check", "--url", pooled_address)
    assert refused.code == 1
    assert "✗  pooler" in refused.out
    assert "add pooled=true to the address" in refused.out
    migrated = local_shell("migrate", "--url", pooled_address)
    assert migrated.code == 3
    assert "PgBouncer in between?" in migrated.err

    polling = local_shell("check", "--url", f"{pooled_address}?pooled=true")
    assert polling.code == 0
    assert "add listen_url=postgresql://" in polling.out
    whole = local_shell("check", "--url", f"{pooled_address}?pooled=true&listen_url={postgres_database}")
    assert "✓  pooler" in whole.out

    needless = local_shell("check", "--url", f"{postgres_database}?pooled=true")
    assert needless.code == 0
    assert "leave pooled=true out" in needless.out

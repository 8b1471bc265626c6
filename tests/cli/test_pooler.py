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
from tests.servers import free_port

pytestmark = pytest.mark.system


@pytest.fixture
def pooled_address(postgres_database: str) -> Iterator[str]:
    """The address of the same database through a PgBouncer in transaction mode."""
    direct, port = urlsplit(postgres_database), free_port()
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        settings = Path(folder, "pgbouncer.ini")
        settings.write_text(
            f"[databases]\n{direct.path[1:]} = host=127.0.0.1 port={direct.port} user=postgres\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n"
        )
        program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
        user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
        process = subprocess.Popen([program, str(settings)], stderr=subprocess.PIPE, text=True, user=user)
        try:
            assert process.stderr
            next(line for line in process.stderr if "process up" in line)
            yield f"postgresql://postgres@127.0.0.1:{port}{direct.path}"
        finally:
            process.kill()
            process.communicate()


def test_it_is_recognised_and_the_remedy_is_right(local_shell: Shell, pooled_address: str, postgres_database: str) -> None:
    refused = local_shell.inside("check", "--url", pooled_address)
    assert refused.code == 1
    assert "✗  pooler" in refused.out
    assert "add pooled=true to the address" in refused.out
    migrated = local_shell.inside("migrate", "--url", pooled_address)
    assert migrated.code == 3
    assert "PgBouncer in between?" in migrated.err

    polling = local_shell.inside("check", "--url", f"{pooled_address}?pooled=true")
    assert polling.code == 0
    assert "add listen_url=postgresql://" in polling.out
    whole = local_shell.inside("check", "--url", f"{pooled_address}?pooled=true&listen_url={postgres_database}")
    assert "✓  pooler" in whole.out

    needless = local_shell.inside("check", "--url", f"{postgres_database}?pooled=true")
    assert needless.code == 0
    assert "leave pooled=true out" in needless.out

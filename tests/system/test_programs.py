"""What the other system tests rest on is there and answers."""

import os
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    ("program", "ask", "answer"),
    [
        ("chromium", "--version", "Chromium"),
        ("pgbouncer", "--version", "PgBouncer"),
        ("virtuoso-t", "-?", "Virtuoso"),
    ],
)
def test_the_program_is_installed(program: str, ask: str, answer: str) -> None:
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert path, f"{program} is missing: tests/system/install.sh installs it"
    done = subprocess.run([path, ask], capture_output=True, text=True, check=False)
    assert answer in done.stdout + done.stderr

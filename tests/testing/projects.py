"""Projects of users, with tests of their own that run in another process."""

import os
import subprocess
import sys
from pathlib import Path

OURS, ASYNCIO = "opwright.testing.plugin", "pytest_asyncio.plugin"


def run(folder: Path, files: dict[str, str], *plugins: str) -> str:
    """What pytest says about these files, with these plug-ins and no others. Warnings are errors."""
    for name, text in files.items():
        (folder / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *(f"-p{one}" for one in plugins)]
    command += [f"--basetemp={folder / 'tmp'}"]
    if ASYNCIO in plugins:
        command += ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "COLUMNS": "200"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=50)
    return done.stdout + done.stderr

"""Running an example."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """That of the tests, without what would tell an example where its database is."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OPWRIGHT_")}
    return plain | {"PYTHONPATH": str(ROOT), "COLUMNS": "80", "TERM": "xterm"} | dict(extra)


def command(*arguments: str) -> list[str]:
    """Python, for which a warning is an error."""
    return [sys.executable, "-W", "error", *arguments]


def run(folder: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder with these arguments until it ends; ``extra`` goes into its environment."""
    return subprocess.run(
        command(*arguments), cwd=folder, env=environment(extra), capture_output=True, text=True, timeout=50, check=False
    )

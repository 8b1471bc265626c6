"""Under which circumstances a run was made: machine, versions, commit, settings."""

import os
import platform
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from benchmarks.bench import Bench
from benchmarks.loop import LOOP
from opwright.store.sqlite_file import file_system

SETTINGS = ("server_version", "shared_buffers", "max_wal_size", "fsync", "synchronous_commit", "full_page_writes", "wal_level")


def circumstances(bench: Bench) -> dict[str, Any]:
    """Everything that somebody needs to know who compares two runs."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD") + ("+" if _git("status", "--porcelain", "src") else ""),
        "machine": {
            "cores": os.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 2**30),
            "processor": _processor(),
            "load_before": os.getloadavg(),
            "disk": file_system(bench.folder),
        },
        "versions": {
            "python": sys.version,  # whole: who built it, and when, decides as much as its number
            "loop": LOOP,
            "sqlite": sqlite3.sqlite_version,
            **{name: version(name) for name in ("opwright", "asyncpg", "msgspec")},
        },
        "quick": bench.quick,
        "rounds": bench.rounds,
    }


async def postgresql_settings(bench: Bench) -> dict[str, str]:
    """How the server was set, as it says itself."""
    connection = await asyncpg.connect(bench.server.dsn)
    try:
        return {name: await connection.fetchval(f"show {name}") for name in SETTINGS}
    finally:
        await connection.close()


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _processor() -> str:
    """What the kernel calls it; ``platform.processor()`` is often empty."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()

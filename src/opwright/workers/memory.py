"""How much memory a process holds."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

_STATM = Path("/proc/self/statm")


def readable() -> bool:
    """Whether this system tells the memory of other processes."""
    return _STATM.exists()


def resident_of(pid: int) -> int:
    """Resident bytes of another process; 0 when it has ended, or where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def resident() -> int:
    """Resident bytes now; where the system does not tell (macOS), the most there ever were."""
    try:
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024

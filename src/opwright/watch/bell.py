"""Rings when any process of this machine writes to a file: inotify, called directly. Where there is none, nobody rings."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

_IN_MODIFY = 2
_EVENTS = 4096  # bytes; writes to the one file become one event of 16 as long as nobody has read it


class Bell:
    """One file, and whether it was written to since somebody asked. Its descriptor is readable when it has rung."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def at(cls, path: Path) -> Self | None:
        """A bell at a file that exists; ``None`` where there can be none."""
        if sys.platform != "linux":
            return None
        libc = ctypes.CDLL(None)
        try:
            fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        except AttributeError:  # a libc without it
            return None
        if fd >= 0 and libc.inotify_add_watch(fd, os.fsencode(path), _IN_MODIFY) >= 0:
            return cls(fd)
        if fd >= 0:
            os.close(fd)
        return None

    def rung(self) -> bool:
        """Whether it has rung since the last call."""
        with suppress(BlockingIOError):
            return bool(os.read(self.fd, _EVENTS))
        return False

    def close(self) -> None:
        """Take it off."""
        os.close(self.fd)

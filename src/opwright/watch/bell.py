"""Rings when any process of this machine writes to a file, or touches one in a folder: inotify, called directly.

Where there is none, nobody rings.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

WRITTEN = 2  # IN_MODIFY
TOUCHED = 4 | 0x100  # IN_ATTRIB, IN_CREATE
_EVENTS = 4096  # bytes; writes to the one file become one event of 16 as long as nobody has read it
_EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of the name behind it


class Bell:
    """One file or folder, and whether anything happened since somebody asked. Its descriptor is readable when it has rung."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def at(cls, path: Path, events: int = WRITTEN) -> Self | None:
        """A bell at a file or folder that exists; ``None`` where there can be none."""
        if sys.platform != "linux":
            return None
        libc = ctypes.CDLL(None)
        try:
            fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        except AttributeError:  # a libc without it
            return None
        if fd >= 0 and libc.inotify_add_watch(fd, os.fsencode(path), events) >= 0:
            return cls(fd)
        if fd >= 0:
            os.close(fd)
        return None

    def rung(self) -> bool:
        """Whether it has rung since the last call."""
        with suppress(BlockingIOError):
            return bool(os.read(self.fd, _EVENTS))
        return False

    def touched(self) -> set[str]:
        """What in the folder has rung it since the last call; an empty name where the system does not say."""
        names, at = set(), 0
        with suppress(BlockingIOError):
            events = os.read(self.fd, _EVENTS)
            while at < len(events):
                start = at + _EVENT.size
                at = start + _EVENT.unpack_from(events, at)[3]
                names.add(os.fsdecode(events[start:at].rstrip(b"\0")))
        return names

    def close(self) -> None:
        """Take it off."""
        os.close(self.fd)

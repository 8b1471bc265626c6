"""The log watcher of a folder that processes share: each touches a file of its own there, and looks at those of the others.

On Linux a bell tells when to look, and costs nothing while nobody touches anything. A network mount rings for the touches of this
machine only. So there, where the bell proves deaf, and on other systems, the times of the files are compared every few
milliseconds.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from opwright.errors import ConfigurationError, StoreUnavailable
from opwright.service import Outage, Service
from opwright.store.sqlite_file import NETWORK_FILE_SYSTEMS, file_system
from opwright.telemetry import emit
from opwright.watch.bell import TOUCHED, Bell
from opwright.watch.messages import MessageDbLogWatcher

NAME = "file system log watcher"
PREFIX = "opwright-"
TOUCH_REST = 0.01  # seconds between two touches; file systems may count in steps of the kernel's tick, which is no longer
PERIOD = 0.05  # between looks without a bell
REST = 1.0  # between looks with one, in case it is deaf
MISSES = 3  # changes in a row that did not ring it: then it is
KEPT = 600.0  # seconds after its last touch that the file of a process may be deleted; one that lives makes it anew


class FileSystemDbLogWatcher(MessageDbLogWatcher):
    """``folder``: any that all processes may write to; on a network mount, too. It is made if only its parent exists.

    ``start()`` raises ConfigurationError when this process may not write there. Where a file system counts times in seconds, of
    two commits within the same one the second is found by polling.
    """

    def __init__(self, origin: Callable[[], int], folder: Path) -> None:
        super().__init__(origin, NAME, TOUCH_REST)
        self._folder = folder
        self._swept = False

    async def check(self) -> str:
        """Look at the folder, or at where it would be."""
        try:
            await asyncio.to_thread(_check, self._folder)
        except OSError as error:
            raise _away(self._folder, error) from error
        return f"the folder {self._folder}"

    async def _open(self) -> None:
        self._swept = False
        with suppress(OSError):  # who listens tries again, and tells of it
            await asyncio.to_thread(_make, self._folder)

    def _listener(self) -> Service | None:
        return _Ear(self._folder, lambda: _file_name(str(self.origin())), self._connected, self._call_wake)

    async def _send(self, message: str) -> None:
        try:
            await asyncio.to_thread(_touch, self._folder / _file_name(message), sweep=not self._swept)
        except OSError as error:
            raise _away(self._folder, error) from error
        self._swept = True

    async def _close(self) -> None:
        """Nothing stays open between two touches."""


class _Ear(Service):
    """Looks when the bell rings, and now and then."""

    def __init__(self, folder: Path, own: Callable[[], str], connected: Callable[[], None], changed: Callable[[], None]) -> None:
        super().__init__(NAME)
        self.outage = Outage(str(folder))
        self._folder = folder
        self._own = own
        self._connected = connected
        self._changed = changed
        self._seen: dict[str, int] | None = None
        self._bell: Bell | None = None
        self._deaf = file_system(folder.resolve()) in NETWORK_FILE_SYSTEMS
        self._rung = False
        self._missed = 0

    async def run_once(self) -> float:
        """Look once. Raises StoreUnavailable when the folder is gone."""
        try:
            if self._seen is None:
                await asyncio.to_thread(_make, self._folder)
                self._hang()
            rung, self._rung = self._rung, False
            stamps = await asyncio.to_thread(_look, self._folder, self._own())
        except ConfigurationError as error:
            self._drop()
            raise StoreUnavailable(str(error)) from error
        except OSError as error:
            self._drop()
            raise _away(self._folder, error) from error
        self._judge(stamps, rung=rung)
        return PERIOD if self._bell is None else REST

    async def stop(self) -> None:
        """End, and take the bell off."""
        await super().stop()
        self._drop()

    def _judge(self, stamps: dict[str, int], *, rung: bool) -> None:
        """What the look has shown, also about the bell."""
        before, self._seen = self._seen, stamps
        if before is None:
            self._connected()
        elif any(before.get(name) != stamp for name, stamp in stamps.items()):  # what was deleted says nothing
            self._changed()
            self._missed = 0 if rung else self._missed + 1
        if self._bell is not None and self._missed >= MISSES:
            self._deaf = True
            emit("watcher.deaf", watcher=self.name)
            self._take_off()

    def _hang(self) -> None:
        self._bell = None if self._deaf else Bell.at(self._folder, TOUCHED)
        if self._bell is not None:
            asyncio.get_running_loop().add_reader(self._bell.fd, self._ring)

    def _ring(self) -> None:
        """Silence it before the look, so that what happens from now on rings again. Our own touches are nothing to look at."""
        if self._bell is not None and self._bell.touched() - {self._own()}:
            self._rung = True
            self.wake()

    def _drop(self) -> None:
        self._seen = None
        self._take_off()

    def _take_off(self) -> None:
        bell, self._bell = self._bell, None
        if bell is not None:
            asyncio.get_running_loop().remove_reader(bell.fd)
            bell.close()


def _away(folder: Path, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(f"the folder {folder} cannot be used: {error.strerror or error}")


def _file_name(origin: str) -> str:
    return f"{PREFIX}{origin}"


def _make(folder: Path) -> None:
    """Make sure of the folder. Raises ConfigurationError where it cannot be, OSError where it is away."""
    try:
        folder.mkdir(exist_ok=True)
    except (FileExistsError, FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise ConfigurationError(f"the folder {folder} cannot be made: {error.strerror}") from error
    _check(folder)


def _check(folder: Path) -> None:
    """Make sure of the folder, or of the one that it would be made in."""
    nearest = folder if folder.exists() else folder.parent
    if not nearest.is_dir():
        what = "no folder" if nearest.exists() else "not there"
        raise ConfigurationError(f"the folder {folder} cannot be made: {nearest} is {what}")
    if not os.access(nearest, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigurationError(f"the folder {nearest} cannot be written to by this process")


def _touch(path: Path, *, sweep: bool) -> None:
    """Set its times to now, by the clock of the file system; ``sweep``: and delete the files that others left long ago."""
    try:
        os.utime(path)
    except FileNotFoundError:
        path.touch()
    if sweep:
        old = path.stat().st_mtime_ns - round(KEPT * 1e9)
        for name, stamp in _look(path.parent, path.name).items():
            if stamp < old:
                with suppress(OSError):  # somebody else was faster, or only its owner may
                    path.with_name(name).unlink()


def _look(folder: Path, own: str) -> dict[str, int]:
    """When each process but this one has last touched its file."""
    stamps = {}
    for path in folder.iterdir():
        if path.name.startswith(PREFIX) and path.name != own:
            with suppress(FileNotFoundError):
                stamps[path.name] = _stamp(path)
    return stamps


def _stamp(path: Path) -> int:
    """The time of its last touch. NFS answers from memory, unless the file is opened: then it asks its server."""
    with suppress(PermissionError):
        os.close(os.open(path, os.O_RDONLY))
    return path.stat().st_mtime_ns

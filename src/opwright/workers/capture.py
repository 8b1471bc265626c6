"""What a trigger prints and logs, line by line into the log of its operation, as well as where it went before.

One stand-in for ``sys.stdout`` and one logging handler serve every attempt of the process: each piece of output goes to
the attempt in whose context it was made. Both are put in place when the first attempt wants it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from threading import Lock
from typing import Any, TextIO, cast

LONGEST_HALF = 4_000  # characters that wait for the end of their line

capturing: ContextVar[Capture | None] = ContextVar("opwright capture", default=None)


class Capture:
    """The output of one attempt. ``log`` gets every whole line, and half a line at the end."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._half = ""
        self._lock = Lock()  # a trigger may have threads of its own

    def write(self, text: str) -> None:
        """Something printed."""
        with self._lock:
            *lines, half = (self._half + text).split("\n")
            if len(half) > LONGEST_HALF:
                lines, half = [*lines, half], ""
            self._half = half
        for line in lines:
            self._log(line)

    def record(self, text: str) -> None:
        """A logging record, formatted: one entry, so that a traceback stays together."""
        self._log(text)

    def close(self) -> None:
        """No more will come."""
        half, self._half = self._half, ""
        if half:
            self._log(half)


class _Output:
    """Stands in for a text stream: what is written goes to it, and to the attempt that wrote it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if (capture := capturing.get()) is not None:
            capture.write(text)
        return self._stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Records(logging.Handler):
    """Hands each record to the attempt in which it was made."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if (capture := capturing.get()) is not None:
            try:
                capture.record(self.format(record))
            except Exception:  # noqa: BLE001 - a record that cannot be formatted is logging's own affair
                self.handleError(record)
        self._emit_last_resort(record)

    def _emit_last_resort(self, record: logging.LogRecord) -> None:
        """Where nobody handles a warning, logging prints it; that this handler is there must not change that."""
        last = logging.lastResort
        if last is not None and record.levelno >= last.level and all(one is self for one in _handlers(record.name)):
            last.handle(record)


_records = _Records()


def install() -> None:
    """Put both in place, if they are not. Cheap, so that it also mends what others have replaced meanwhile."""
    if not isinstance(sys.stdout, _Output) and sys.stdout is not None:
        sys.stdout = cast("TextIO", _Output(sys.stdout))
    root = logging.getLogger()
    if _records not in root.handlers:
        if not root.handlers and root.level == logging.WARNING:
            root.setLevel(logging.INFO)  # nobody has set logging up: then INFO is worth a line, but no print
        root.addHandler(_records)


def _handlers(name: str) -> Iterator[logging.Handler]:
    """Every handler that a record of this logger reaches."""
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None

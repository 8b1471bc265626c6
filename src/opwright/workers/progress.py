"""How far one attempt is. Only the newest word about that matters, so few of them travel."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Timer

from opwright.model.worker import Remark

PROGRESS_EVERY = 0.1  # seconds at least between two of one attempt


class Progress:
    """Passes on the first remark at once, and of those that follow too soon the last: when its time has come, or at the end."""

    def __init__(self, say: Callable[[Remark], None]) -> None:
        self._say = say
        self._lock = Lock()  # a trigger may have threads of its own
        self._kept: Remark | None = None
        self._next = 0.0
        self._timer: Timer | None = None

    def offer(self, remark: Remark) -> None:
        """The newest remark, from any thread."""
        with self._lock:
            self._kept = remark
            if self._timer is not None:
                return  # its thread may be late, but will pass this on
            early = self._next - time.monotonic()
            if early > 0:
                self._pass_on_in(early)
            else:
                self._pass_on()

    def close(self) -> None:
        """The end: what was kept back goes out now."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._pass_on()

    def _pass_on_in(self, seconds: float) -> None:
        """By a thread: the event loop may stand still, because a synchronous trigger runs in its place."""
        timer = Timer(seconds, self._on_time)
        timer.daemon = True
        with suppress(RuntimeError):  # the machine gives no thread: it goes out with the next one, or at the end
            timer.start()
            self._timer = timer

    def _on_time(self) -> None:
        with self._lock:
            self._timer = None
            self._pass_on()

    def _pass_on(self) -> None:
        remark, self._kept = self._kept, None
        if remark is not None:
            self._next = time.monotonic() + PROGRESS_EVERY
            self._say(remark)

"""A worker's end of the channel.

Normally the event loop reads it, and sends what was said within one turn: a hand-over between threads would cost more than
the message. While a trigger keeps the main thread, a second thread stands in. It sleeps when nothing runs; when something
does, it looks after some milliseconds whether the same thing still runs, and then listens too.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from threading import Lock, Thread
from typing import NoReturn

from opwright.workers.channel import BadFrame, ToHost, ToWorker, frames, worker_reader

LOOK_EVERY = 0.005  # seconds; twice so late at most is the channel served while a trigger keeps the main thread
RECEIVED_AT_ONCE = 256 * 1024  # bytes


class Line:
    """The channel to the host. When the host is gone, the process ends at once: its work will be claimed elsewhere.

    ``obey`` gets the messages in order, in either thread. ``occupied`` returns a number that changes whenever an operation
    begins, or ``None`` when none runs.
    """

    def __init__(
        self,
        channel: socket.socket,
        obey: Callable[[list[ToWorker]], None],
        occupied: Callable[[], int | None],
    ) -> None:
        self._channel = channel
        self._channel.settimeout(0)
        self._obey = obey
        self._occupied = occupied
        self._reader = worker_reader()
        self._buffer = memoryview(bytearray(RECEIVED_AT_ONCE))
        self._said: deque[ToHost] = deque()
        self._reading, self._sending = Lock(), Lock()
        self._writable = select.poll()
        self._writable.register(channel, select.POLLOUT)
        self._away = False  # the second thread waits in a system call, and does not look
        self._bell, self._ring = os.pipe()
        Thread(target=self._stand_in, name="opwright stand-in", daemon=True).start()

    def fileno(self) -> int:
        return self._channel.fileno()

    def detach(self) -> None:
        """Leave the channel open until the process has really ended: its end is the host's sign."""
        self._channel.detach()

    def say(self, message: ToHost) -> None:
        """Keep a message for the next ``flush``. From any thread, and from a signal handler."""
        self._said.append(message)
        if self._away:
            self._call_back()

    def flush(self) -> None:
        """Send what was said. Waits while the host does not listen."""
        with self._sending:
            messages = [self._said.popleft() for _ in range(len(self._said))]
            for frame in frames(messages) if messages else ():
                self._send(frame)

    def hear(self) -> None:
        """Read what is there, and obey."""
        with self._reading:  # also while obeying, or a cancel could overtake its task
            try:
                size = self._channel.recv_into(self._buffer)
                if not size:
                    os._exit(1)  # the host is gone
                self._obey(self._reader.feed(self._buffer[:size]))
            except BlockingIOError:
                return  # the other thread was first
            except (OSError, BadFrame) as error:
                _end(error)
        if self._said:
            self.flush()
        if self._away:
            self._call_back()

    def _send(self, frame: bytes) -> None:
        rest = memoryview(frame)
        while rest:
            try:
                rest = rest[self._channel.send(rest) :]
            except BlockingIOError:
                self._writable.poll()
            except OSError as error:
                _end(error)

    # --------------------------------------------------------------------------------------- the second thread

    def _stand_in(self) -> None:
        idle, listening = select.poll(), select.poll()
        for poll in (idle, listening):
            poll.register(self._bell, select.POLLIN)
        listening.register(self._channel, select.POLLIN)
        while True:
            before = self._occupied()
            time.sleep(LOOK_EVERY)  # first, so that many short operations wake this thread seldom
            self.flush()
            now = self._occupied()
            if now is None:
                self._wait(idle, now)
            elif now == before:
                self._wait(listening, now)

    def _wait(self, poll: select.poll, now: int | None) -> None:
        self._away = True
        if self._occupied() != now or self._said:  # it came just before
            self._away = False
            return
        for fd, _ in poll.poll():
            if fd == self._bell:
                os.read(fd, 1)
            else:
                self._away = False
                self.hear()

    def _call_back(self) -> None:
        self._away = False
        os.write(self._ring, b".")


def _end(error: Exception) -> NoReturn:
    if not isinstance(error, ConnectionError):
        sys.stderr.write(f"opwright worker {os.getpid()} lost its host: {error}\n")
        sys.stderr.flush()
    os._exit(1)

"""A worker's end of the channel.

Normally the event loop reads it, and what is said is sent at once from the main thread: a hand-over between threads would
cost more than the message. While a trigger keeps the main thread, a second thread stands in and hears the host. It sleeps
when nothing runs, and looks every few milliseconds whether the same thing still runs when something does.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from collections.abc import Callable
from threading import Lock, Semaphore, Thread

from opwright.workers.channel import BadFrame, ToHost, ToWorker, frames, worker_reader

LOOK_EVERY = 0.005  # seconds; so late at most is the host heard while a trigger keeps the main thread
RECEIVED_AT_ONCE = 256 * 1024  # bytes


class Line:
    """The channel to the host. When the host is gone, the process ends at once: its work will be claimed elsewhere.

    ``obey`` gets the messages in order, in either thread. ``occupied`` returns a number that changes whenever an operation
    begins or ends, or ``None`` when none runs.
    """

    def __init__(
        self,
        channel: socket.socket,
        obey: Callable[[list[ToWorker]], None],
        occupied: Callable[[], int | None],
    ) -> None:
        self._channel = channel
        self._obey = obey
        self._occupied = occupied
        self._reader = worker_reader()
        self._reading = Lock()
        self._sending = Lock()
        self._asleep = False
        self._alarm = Semaphore(0)
        Thread(target=self._stand_in, name="opwright stand-in", daemon=True).start()

    def fileno(self) -> int:
        return self._channel.fileno()

    def detach(self) -> None:
        """Leave the channel open until the process has really ended: its end is the host's sign."""
        self._channel.detach()

    def say(self, message: ToHost) -> None:
        """Tell the host, at once. Waits while the host does not listen."""
        try:
            with self._sending:
                for part in frames([message]):
                    self._channel.sendall(part)
        except OSError:
            os._exit(1)

    def hear(self) -> None:
        """Read what is there, and obey."""
        with self._reading:  # also while obeying, or a cancel could overtake its task
            try:
                data = self._channel.recv(RECEIVED_AT_ONCE, socket.MSG_DONTWAIT)
                if not data:
                    os._exit(1)
                self._obey(self._reader.feed(data))
            except BlockingIOError:
                return  # the other thread was first
            except (OSError, BadFrame) as error:
                sys.stderr.write(f"opwright worker {os.getpid()}: {error}\n")
                os._exit(1)
        if self._asleep:
            self._asleep = False
            self._alarm.release()

    def _stand_in(self) -> None:
        ready = select.poll()
        ready.register(self._channel, select.POLLIN)
        while True:
            seen = self._occupied()
            if seen is None:
                self._sleep()
                continue
            time.sleep(LOOK_EVERY)
            if self._occupied() == seen:
                ready.poll()
                self.hear()

    def _sleep(self) -> None:
        self._asleep = True
        if self._occupied() is None:  # else something came just before
            self._alarm.acquire()
        self._asleep = False

"""What a running operation can ask and say of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from itertools import count
from typing import Any, NoReturn, Protocol

import msgspec

from opwright.clock import SystemClock
from opwright.errors import InvalidOperation, NotInOperation
from opwright.model.claim import NoteKind
from opwright.model.options import LONGEST, MOST_TRIES
from opwright.model.text import clean
from opwright.model.worker import TOUCH, Remark, Task
from opwright.workers.capture import Capture, capturing, install
from opwright.workers.progress import Progress
from opwright.workers.runner import TriggerFunction

MOST_LINES = 1_000  # of the log, per attempt
LONGEST_LINE = 4_000  # characters
TOUCH_EVERY = 1.0  # seconds at least between two signs of life that travel

_now = SystemClock().now
_monotonic = SystemClock().monotonic


class Waiting(BaseException):
    """Ends an attempt that waits. No Exception, so that ``except Exception`` in a trigger lets it pass."""

    def __init__(self, seconds: float | None, times: int | None) -> None:
        super().__init__("the operation waits to be resumed")
        self.seconds = seconds
        self.times = times


class Retrying(BaseException):
    """Ends an attempt that asks for another one. No Exception, for the same reason."""

    def __init__(self, after: float | None, reason: str) -> None:
        super().__init__(reason)
        self.after = after
        self.reason = reason


def ignore(_: Any) -> None:
    """Nobody listens."""


class Running(Protocol):
    """The attempt behind a Current."""

    task: Task
    function: TriggerFunction | None
    begun: int | None
    asked: bool
    say: Callable[[Remark], None]

    @property
    def current(self) -> Current: ...


class Current:
    """The running attempt of an operation, from its trigger's point of view; ``current()`` gives it.

    ``over``: the end of the operation is committed already; nothing that happens afterwards can change it.
    """

    def __init__(self, running: Running) -> None:
        self.over = False
        self._running = running
        self._task = running.task
        self._progress = Progress(self._tell)
        self._capture: Capture | None = None
        self._lines = count(1)
        self._waits = 0
        self._touch_again = 0.0

    def __repr__(self) -> str:
        return f"<operation {self.id}, attempt {self.attempt} of {self.trigger}>"

    @property
    def id(self) -> int:
        """The operation's id."""
        return self._task.operation

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return self._task.attempt

    @property
    def trigger(self) -> str:
        """The name of the trigger."""
        return self._task.trigger

    @property
    def token(self) -> int:
        """Names this claim of the operation in every write that follows it."""
        return self._task.token

    @property
    def begun(self) -> int:
        """Since when this attempt runs, in microseconds by the clock of its process."""
        return self._running.begun or 0

    @property
    def function(self) -> TriggerFunction | None:
        """The registered trigger."""
        return self._running.function

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked it to stop.

        An async trigger is interrupted at its next ``await``, a synchronous one in a worker process wherever it stands; but a
        synchronous one beside others, or in the host's own process, must look here now and then.
        """
        return self._running.asked

    # -------------------------------------------------------------------------------------------- what it says

    def log(self, text: str) -> None:
        """Add a line to the operation's log: 4,000 characters at most, 1,000 lines per attempt. From any thread."""
        number = next(self._lines)
        if number <= MOST_LINES:
            self._remark(NoteKind.LOG, text)
        elif number == MOST_LINES + 1:
            self._remark(NoteKind.LOG, f"this attempt has said {MOST_LINES:,} lines; the rest is left out")

    def progress(self, fraction: float, text: str = "") -> None:
        """Tell how far it is, from 0 to 1, and in words. Only the newest matters: at most ten in a second are passed on.

        Raises InvalidOperation when ``fraction`` is no such number.
        """
        if not _is_number(fraction, 1):
            raise InvalidOperation(f"fraction: {fraction!r} is not a number from 0 to 1", field="fraction")
        self._progress.offer(self._made(NoteKind.PROGRESS, text, float(fraction)))

    def touch(self) -> None:
        """Give a sign of life: it is still at work, though there is nothing to tell. From any thread, as often as is convenient.

        Log lines and progress are signs of life too. An operation that gives none for the maximum processing time is ended.
        """
        now = _monotonic()
        if now >= self._touch_again:
            self._touch_again = now + TOUCH_EVERY
            task = self._task
            self._tell(Remark(task.operation, task.token, task.attempt, TOUCH, "", None, _now()))

    # -------------------------------------------------------------------------------------------- what it asks

    def wait(self, seconds: float | None = None, *, times: int | None = None) -> Any:
        """Wait, without keeping a worker, until the operation is resumed; returns the value that it is resumed with.

        **The operation is run again from its start**, so what stands before the wait is done again. The first call of a run
        returns the first value that the operation was ever resumed with, the second the second, and so on; the one for which
        there is no value yet ends the attempt. So the calls must come in the same order in every run.

        ``seconds``: after which it is run again although nobody resumed it; ``times``: how often in a row that may happen before
        the operation is FAILED. Without them the host's settings hold. Raises InvalidOperation when they do not fit.
        """
        if seconds is not None and (not _is_number(seconds, LONGEST) or seconds == 0):
            raise InvalidOperation(f"seconds: {seconds!r} is not a number above 0 and up to {LONGEST:g}", field="seconds")
        if times is not None and (type(times) is not int or not 1 <= times <= MOST_TRIES):
            raise InvalidOperation(f"times: {times!r} is not a whole number from 1 to {MOST_TRIES:,}", field="times")
        number, self._waits = self._waits, self._waits + 1
        if number < len(self._task.answers):
            return msgspec.json.decode(self._task.answers[number])
        raise Waiting(seconds, times)

    def retry(self, after: float | None = None, reason: str | None = None) -> NoReturn:
        """End this attempt and ask for another one ``after`` so many seconds; without them after the trigger's backoff.

        It counts as an error does: it uses up a retry, and without one left the operation is FAILED with the ``reason``.
        Raises InvalidOperation when ``after`` is no number of seconds.
        """
        if after is not None and not _is_number(after, LONGEST):
            raise InvalidOperation(f"after: {after!r} is not a number from 0 to {LONGEST:g}", field="after")
        raise Retrying(after, reason or "it asked to be tried again")

    # --------------------------------------------------------------------------------- what runs it tells it

    def capture(self) -> None:
        """What is printed and logged in the context of this call goes into its log too."""
        install()
        self._capture = Capture(self.log)
        capturing.set(self._capture)

    def close(self) -> None:
        """The attempt has ended: what was kept back goes out."""
        if self._capture is not None:
            self._capture.close()
        self._progress.close()

    def _remark(self, kind: NoteKind, text: str) -> None:
        self._tell(self._made(kind, text, None))

    def _made(self, kind: NoteKind, text: str, fraction: float | None) -> Remark:
        task = self._task
        return Remark(task.operation, task.token, task.attempt, kind, clean(str(text), LONGEST_LINE), fraction, _now())

    def _tell(self, remark: Remark) -> None:
        self._running.say(remark)  # looked up each time: after the end nobody listens


running: ContextVar[Running | None] = ContextVar("opwright operation", default=None)


def current() -> Current:
    """The running operation. Raises NotInOperation outside of one."""
    found = current_or_none()
    if found is None:
        raise NotInOperation("this works only inside a trigger that an operation runs; in a test use opwright.testing")
    return found


def current_or_none() -> Current | None:
    """The running operation, if this code runs inside one."""
    found = running.get()
    return None if found is None else found.current


def request_in(error: BaseException) -> Waiting | Retrying | None:
    """What an attempt asked for by this exception; also by a group, as a TaskGroup raises it, with nothing else in it."""
    found = list(_leaves(error))
    first = found[0]
    if isinstance(first, Waiting | Retrying) and all(isinstance(leaf, Waiting | Retrying) for leaf in found):
        return first
    return None


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _leaves(member)
    else:
        yield error


def _is_number(value: object, most: float) -> bool:
    """Whether this is a number from 0 to ``most``; True is none, and neither is NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most

"""One attempt of one operation: find the trigger, decode, call, encode. Ends in a status update, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context

import msgspec

from opwright.clock import SystemClock
from opwright.errors import OperationCancelled
from opwright.model.text import clean
from opwright.model.worker import Outcome, Remark, StatusUpdate, Task
from opwright.workers.around import Surrounded
from opwright.workers.current import Current, Retrying, Waiting, ignore, request_in, running
from opwright.workers.drive import Suspended
from opwright.workers.failure import failure_text
from opwright.workers.runner import Around, TriggerFunction

DONE = Outcome.DONE  # looking a member up at its class costs as much as making an update
LONGEST_TEXT = 15 * 1024 * 1024  # characters of inputs or result; as UTF-8 at most 60 MiB, which a frame can hold

_now = SystemClock().now


class Attempt:
    """One attempt. Sync and async triggers go the same way; a sync one never suspends it.

    ``asked`` says that it was asked to stop. ``exposed`` is true exactly while a sync trigger is being called: only then
    may a signal handler raise OperationCancelled. ``say`` gets what the operation says of itself.
    """

    __slots__ = ("_current", "arounds", "asked", "begun", "exposed", "function", "say", "task")

    def __init__(self, task: Task, say: Callable[[Remark], None] = ignore, arounds: tuple[Around, ...] = ()) -> None:
        self.task = task
        self.say = say
        self.arounds = arounds
        self.function: TriggerFunction | None = None
        self.begun: int | None = None
        self.asked = self.exposed = False
        self._current: Current | None = None

    @property
    def current(self) -> Current:
        """What its trigger sees of it. Made when it is asked for, because most triggers never ask."""
        if self._current is None:
            self._current = Current(self)
        return self._current

    async def run(self) -> StatusUpdate:
        """Run it to its end. Raises nothing, except GeneratorExit when it is closed from outside."""
        self.begun = _now()
        task, function = self.task, self.function
        if function is None:
            return self.ended(Outcome.UNKNOWN, f"this process knows no trigger named {task.trigger!r}")
        try:
            arguments = function.decode(task.inputs)
        except Exception as error:  # noqa: BLE001 - whatever a decoder raises, trying again cannot help
            return self.ended(Outcome.INVALID, f"the inputs do not fit {task.trigger}: {_told(error)}")
        running.set(self)
        if function.capture:
            self.current.capture()
        call = Surrounded(function, self.arounds) if self.arounds else function.function
        try:
            try:
                self.exposed = not function.is_async
                if self.asked:
                    raise OperationCancelled("asked to stop before it began")
                result = call(**arguments)
                if function.is_async:
                    result = await result
            finally:
                self.exposed = False  # if the signal comes on this very line, the outer clause has it
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit ends the operation, not its worker
            return self.failed(error)
        return self.returned(function, result)

    def start(self, context: Context) -> StatusUpdate | Suspended[StatusUpdate]:
        """Run it here, in ``context``, until it ends or suspends; a sync trigger never does."""
        coroutine = self.run()
        try:
            awaited = context.run(coroutine.send, None)
        except StopIteration as end:
            update: StatusUpdate = end.value
            return update
        return Suspended(coroutine, context, awaited)

    def returned(self, function: TriggerFunction, result: object) -> StatusUpdate:
        """What the trigger returned, as JSON text if that can be."""
        try:
            text = function.encode(result)
        except Exception as error:  # noqa: BLE001 - the result's own methods may run in there
            return self.ended(Outcome.INVALID, f"the result of {function.name} cannot be stored: {_told(error)}")
        if text is not None and len(text) > LONGEST_TEXT:
            return self.ended(Outcome.INVALID, f"the result of {function.name} cannot be stored: {_size(text)}")
        task = self.task
        return StatusUpdate(task.operation, task.token, DONE, text, None, self.begun, _now())

    def failed(self, error: BaseException) -> StatusUpdate:
        """What the trigger raised: a wish of its own, a cancellation if it was asked for, else a failure."""
        if (request := request_in(error)) is not None:
            return self.paused(request)
        if self.asked and isinstance(error, (asyncio.CancelledError, OperationCancelled)):
            return self.ended(Outcome.CANCELLED, None)
        return self.ended(Outcome.FAILED, failure_text(error))

    def paused(self, request: Waiting | Retrying) -> StatusUpdate:
        """It asked to be run again."""
        if isinstance(request, Retrying):
            return msgspec.structs.replace(self.ended(Outcome.RETRY, request.reason), pause=request.after)
        return msgspec.structs.replace(self.ended(Outcome.WAIT, None), pause=request.seconds, times=request.times)

    def ended(self, outcome: Outcome, error: str | None) -> StatusUpdate:
        """Its end without a result."""
        error = None if error is None else clean(error)
        return StatusUpdate(self.task.operation, self.task.token, outcome, None, error, self.begun, _now())

    def close(self, update: StatusUpdate) -> StatusUpdate:
        """Its last word: what it kept back goes out before, and whatever it says later is dropped.

        Where its end is committed already, that stands, whatever came afterwards.
        """
        if (current := self._current) is not None:
            current.close()
        self.say = ignore
        if current is None or not current.over:
            return update
        return msgspec.structs.replace(update, outcome=Outcome.ENDED, result=None, pause=None, times=None)


def too_large(task: Task) -> StatusUpdate | None:
    """The update of a task whose inputs no frame can hold, or ``None``."""
    if len(task.inputs) <= LONGEST_TEXT:
        return None
    return Attempt(task).ended(Outcome.INVALID, f"the inputs cannot be sent to a worker: {_size(task.inputs)}")


def _size(text: str) -> str:
    return f"it has {len(text):,} characters, at most {LONGEST_TEXT:,} are possible"


def _told(error: Exception) -> str:
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 - the message is the user's code too
        return type(error).__name__

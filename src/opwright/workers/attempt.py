"""One attempt of one operation: find the trigger, decode, call, encode. Ends in a status update, whatever happens."""

from __future__ import annotations

import asyncio
from contextvars import Context

from opwright.clock import SystemClock
from opwright.errors import OperationCancelled
from opwright.model.text import clean
from opwright.model.worker import Outcome, StatusUpdate, Task
from opwright.workers.drive import Suspended
from opwright.workers.failure import failure_text
from opwright.workers.runner import TriggerFunction

LONGEST_TEXT = 15 * 1024 * 1024  # characters of inputs or result; as UTF-8 at most 60 MiB, which a frame can hold

_now = SystemClock().now


class Attempt:
    """One attempt. Sync and async triggers go the same way; a sync one never suspends it.

    ``asked`` says that it was asked to stop. ``exposed`` is true exactly while a sync trigger is being called: only then
    may a signal handler raise OperationCancelled.
    """

    __slots__ = ("asked", "begun", "exposed", "function", "task")

    def __init__(self, task: Task) -> None:
        self.task = task
        self.function: TriggerFunction | None = None
        self.begun: int | None = None
        self.asked = self.exposed = False

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
        try:
            try:
                self.exposed = not function.is_async
                if self.asked:
                    raise OperationCancelled("asked to stop before it began")
                result = function.call(arguments)
                if function.is_async:
                    result = await result
            finally:
                self.exposed = False  # if the signal comes on this very line, the outer clause has it
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit ends the operation, not its worker
            return self.failed(error)
        try:
            text = function.encode(result)
        except Exception as error:  # noqa: BLE001 - the result's own methods may run in there
            return self.ended(Outcome.INVALID, f"the result of {task.trigger} cannot be stored: {_told(error)}")
        if text is not None and len(text) > LONGEST_TEXT:
            return self.ended(Outcome.INVALID, f"the result of {task.trigger} cannot be stored: {_size(text)}")
        return StatusUpdate(task.operation, task.token, Outcome.DONE, text, None, self.begun, _now())

    def start(self, context: Context) -> StatusUpdate | Suspended[StatusUpdate]:
        """Run it here, in ``context``, until it ends or suspends; a sync trigger never does."""
        coroutine = self.run()
        try:
            awaited = context.run(coroutine.send, None)
        except StopIteration as end:
            update: StatusUpdate = end.value
            return update
        return Suspended(coroutine, context, awaited)

    def failed(self, error: BaseException) -> StatusUpdate:
        """What the trigger raised: a cancellation if it was asked for, else a failure."""
        if self.asked and isinstance(error, (asyncio.CancelledError, OperationCancelled)):
            return self.ended(Outcome.CANCELLED, None)
        return self.ended(Outcome.FAILED, failure_text(error))

    def ended(self, outcome: Outcome, error: str | None) -> StatusUpdate:
        """Its end without a result."""
        error = None if error is None else clean(error)
        return StatusUpdate(self.task.operation, self.task.token, outcome, None, error, self.begun, _now())


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

"""Results of Django's tasks, from what Opwright knows about their operations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from traceback import format_exception
from typing import Any, NamedTuple

import msgspec
from django.utils import timezone

from opwright.clock import moment
from opwright.integrations.django.task_api import (
    Task,
    TaskContext,
    TaskError,
    TaskResult,
    TaskResultStatus,
    normalize_json,
    task_finished,
    task_started,
)
from opwright.model.claim import NoteKind
from opwright.model.ids import made_at
from opwright.model.operation import Operation
from opwright.model.status import Status
from opwright.store.engine import Plan, call
from opwright.store.operations import operation_of
from opwright.workers.current import Retrying, Waiting, current

_STATUS = {
    Status.PENDING: TaskResultStatus.READY,
    Status.WAIT: TaskResultStatus.READY,
    Status.PROCESSING: TaskResultStatus.RUNNING,
    Status.SUCCEEDED: TaskResultStatus.SUCCESSFUL,
    Status.FAILED: TaskResultStatus.FAILED,
    Status.CANCELLED: TaskResultStatus.FAILED,
}
_TRACEBACK = re.compile(r"^ *(?:\+ Exception Group )?Traceback \(most recent call last\):$", re.MULTILINE)
_FOLLOWED = (NoteKind.ERROR, NoteKind.DEATH)


class History(NamedTuple):
    """An operation, and the errors after which it was tried again."""

    operation: Operation
    errors: list[str]


def history(identifier: int) -> Plan[History | None]:
    """The plan that reads it; None when there is no such operation."""
    rows = yield call("operation", operation=identifier)
    if not rows:
        return None
    notes = yield call("notes", operation=identifier, after=0)
    return History(operation_of(rows[0]), [note["text"] for note in notes if note["kind"] in _FOLLOWED])


def of_operation(task: Task, found: History, backend: str) -> TaskResult:
    """The result of a task as its operation shows it."""
    operation = found.operation
    inputs, value = _decoded(operation.inputs, operation.result)
    status = _STATUS[operation.status]
    begun = operation.attempt - 1 if status is TaskResultStatus.READY else operation.attempt
    errors = [*found.errors, *([operation.error] if operation.error else [])]
    result = TaskResult(
        task=_as_submitted(task, operation, backend),
        id=str(operation.id), status=status, enqueued_at=operation.submitted, started_at=operation.started,
        finished_at=operation.ended, last_attempted_at=operation.started, args=inputs["args"], kwargs=inputs["kwargs"],
        backend=backend, errors=[_error(text, operation.status) for text in errors], worker_ids=_workers(operation, begun),
    )  # fmt: skip
    _set(result, _return_value=value)
    return result


def _as_submitted(task: Task, operation: Operation, backend: str) -> Task:
    """The task with what its submit said; it was judged then, and settings may have changed since."""
    submitted = copy(task)
    _set(submitted, priority=operation.priority, queue_name=operation.queue, run_after=operation.due, backend=backend)
    return submitted


def of_submit(task: Task, args: Sequence[Any], kwargs: Mapping[str, Any], backend: str) -> TaskResult:
    """The result of a task that is about to be submitted. Raises TypeError for arguments that are not JSON."""
    return _fresh(task, args, kwargs, backend, id="", enqueued_at=timezone.now())


class Attempt:
    """The result of a task while it runs, without a look into the database: earlier errors are not in it."""

    def __init__(self, task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        running, now = current(), timezone.now()
        self.result = _fresh(task, args, kwargs, task.backend, id=str(running.id), enqueued_at=moment(made_at(running.id)))
        _set(self.result, status=TaskResultStatus.RUNNING, started_at=now, last_attempted_at=now)
        self.result.worker_ids.extend(["opwright"] * running.attempt)

    def leading(self, takes_context: bool) -> tuple[TaskContext, ...]:  # noqa: FBT001 - a yes or no is all that it takes
        """What stands before the arguments of the call."""
        return (TaskContext(task_result=self.result),) if takes_context else ()

    def returned(self, value: Any) -> Any:
        """The returned value, as JSON can hold it. Raises TypeError."""
        _set(self.result, _return_value=normalize_json(value))
        return self.result._return_value  # noqa: SLF001 - return_value refuses before the end

    def ended(self, status: TaskResultStatus) -> None:
        """Tell the end."""
        _set(self.result, status=status, finished_at=timezone.now())
        task_finished.send(type(self.result.task.get_backend()), task_result=self.result)


@contextmanager
def performed(task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[Attempt]:
    """An attempt with the signals that Django promises around it."""
    attempt = Attempt(task, args, kwargs)
    task_started.send(type(task.get_backend()), task_result=attempt.result)
    try:
        yield attempt
    except (Waiting, Retrying):
        raise  # it has not ended
    except BaseException as error:
        path = f"{type(error).__module__}.{type(error).__qualname__}"
        attempt.result.errors.append(TaskError(exception_class_path=path, traceback="".join(format_exception(error))))
        attempt.ended(TaskResultStatus.FAILED)
        raise
    attempt.ended(TaskResultStatus.SUCCESSFUL)


def _fresh(task: Task, args: Sequence[Any], kwargs: Mapping[str, Any], backend: str, **known: Any) -> TaskResult:
    return TaskResult(
        task=task, status=TaskResultStatus.READY, started_at=None, finished_at=None, last_attempted_at=None,
        args=list(args), kwargs=dict(kwargs), backend=backend, errors=[], worker_ids=[], **known,
    )  # fmt: skip


def _set(result: TaskResult, **values: Any) -> None:
    """Results are frozen for everybody but their backend."""
    for name, value in values.items():
        object.__setattr__(result, name, value)


def _decoded(inputs: str | dict[str, Any], result: Any) -> tuple[dict[str, Any], Any]:
    """Inputs and result as values. Psycopg decodes JSON by itself, others give its text; inputs, an object, tell which."""
    if isinstance(inputs, dict):
        return inputs, result
    return msgspec.json.decode(inputs), None if result is None else msgspec.json.decode(result)


def _workers(operation: Operation, begun: int) -> list[str]:
    """One entry for each attempt, because Django counts them so; which host made the earlier ones nobody remembers."""
    last = "opwright" if operation.host is None else f"host {operation.host}"
    return [*["opwright"] * (begun - 1), last] if begun > 0 else []


def _error(text: str, status: Status) -> TaskError:
    """A kept failure: the first lines are for readers of lists, the traceback follows."""
    start = _TRACEBACK.search(text)
    headline, traceback = (text[: start.start()], text[start.start() :]) if start else (text, text)
    return TaskError(exception_class_path=_class_path(headline, traceback, status), traceback=traceback)


def _class_path(headline: str, traceback: str, status: Status) -> str:
    """The class of the exception, which the headline names without its module and the traceback with it.

    What no exception of the task ended (a death, a timeout, a cancellation) counts as Opwright's own.
    """
    name = re.escape(headline.partition("\n")[0].partition(":")[0])
    paths: list[str] = re.findall(rf"^[ |]*((?:[\w<>]+\.)*{name})(?=:|$)", traceback, re.MULTILINE)
    if traceback is headline or not paths:
        return "opwright.errors.OperationCancelled" if status is Status.CANCELLED else "opwright.errors.OperationFailed"
    return paths[-1] if "." in paths[-1] else f"builtins.{paths[-1]}"

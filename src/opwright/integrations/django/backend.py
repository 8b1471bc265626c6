"""Opwright as a backend of Django's tasks: ``TASKS = {"default": {"BACKEND": "….django.backend.OpwrightBackend"}}``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from inspect import iscoroutinefunction
from typing import Any, NamedTuple

from django.apps import apps
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from opwright.integrations.django.application import ops
from opwright.integrations.django.results import history, of_operation, of_submit, performed
from opwright.integrations.django.task_api import (
    BaseTaskBackend,
    InvalidTask,
    Task,
    TaskResult,
    TaskResultDoesNotExist,
    task_enqueued,
)
from opwright.operations.trigger import Trigger

_OPTIONS = ("retries", "recoveries", "timeout", "backoff")


class _Known(NamedTuple):
    """A task and its trigger. ``late``: it was declared after Django had been set up, so in a module that no worker imports."""

    task: Task
    trigger: Trigger[..., Any]
    late: bool


_known: dict[str, _Known] = {}


class OpwrightBackend(BaseTaskBackend):
    """Each task is a trigger, named by its module path and registered when it is declared: a row never leads to an import.

    OPTIONS may hold ``retries``, ``recoveries``, ``timeout`` and ``backoff`` as ``@ops.operation`` takes them. A task is enqueued
    in the current atomic block, and so with the data that it is about.
    """

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: Mapping[str, Any]) -> None:
        super().__init__(alias, params)
        if unknown := sorted(self.options.keys() - set(_OPTIONS)):
            raise ImproperlyConfigured(f"TASKS[{alias!r}]: OPTIONS has {unknown[0]!r}, and knows {', '.join(_OPTIONS)}")

    def validate_task(self, task: Task) -> None:
        """Refuse what cannot be run, and make the task known. Raises InvalidTask."""
        super().validate_task(task)
        _register(task)

    def enqueue(self, task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> TaskResult:
        """Submit it. Raises InvalidTask for one that no worker would know, TypeError for arguments that are not JSON."""
        self.validate_task(task)
        known = _known[task.module_path]
        if known.late:
            raise InvalidTask(
                f"{task.module_path}: worker processes do not know it. They import `tasks` and `operations` of every app: "
                "move it there, or import its module there"
            )
        result = of_submit(task, args, kwargs, self.alias)
        trigger = known.trigger.options(
            priority=task.priority, queue=task.queue_name, start_at=_aware(task.run_after), **self.options
        )
        handle = trigger.submit(args=result.args, kwargs=result.kwargs).now()
        result = replace(result, id=str(handle.id))
        task_enqueued.send(type(self), task_result=result)
        return result

    def get_result(self, result_id: str) -> TaskResult:
        """What the database says now, the current atomic block included. Raises TaskResultDoesNotExist."""
        identifier = int(result_id) if str(result_id).isdecimal() else -1
        found = ops.alias.look(history(identifier)) if 0 <= identifier < 1 << 63 else None
        if found is None:
            raise TaskResultDoesNotExist(result_id)
        known = _known.get(found.operation.trigger)
        if known is None:
            raise TaskResultDoesNotExist(
                f"{result_id} is an operation of {found.operation.trigger}, which is no task in this program"
            )
        return of_operation(known.task, found, self.alias)

    def check(self, **_: Any) -> Iterable[checks.CheckMessage]:
        """Without the app nobody would find the tasks."""
        if not apps.is_installed("opwright.integrations.django"):
            yield checks.Error(
                "OpwrightBackend needs its app.", hint="Add 'opwright.integrations.django' to INSTALLED_APPS.", id="opwright.E001"
            )


def _register(task: Task) -> None:
    known = _known.get(task.module_path)
    if known is None:
        trigger = ops.operation(name=task.module_path)(_function(task))
        _known[task.module_path] = _Known(task, trigger, late=apps.ready)
    elif known.task.func is not task.func:
        raise InvalidTask(f"two functions want to be the task {task.module_path}; rename one")


def _function(task: Task) -> Callable[..., Any]:
    """What the trigger calls. Its inputs are the two that every task has."""
    function, takes_context = task.func, task.takes_context

    def run(args: list[Any], kwargs: dict[str, Any]) -> Any:
        with performed(task, args, kwargs) as attempt:
            return attempt.returned(function(*attempt.leading(takes_context), *args, **kwargs))

    async def arun(args: list[Any], kwargs: dict[str, Any]) -> Any:
        with performed(task, args, kwargs) as attempt:
            return attempt.returned(await function(*attempt.leading(takes_context), *args, **kwargs))

    return arun if iscoroutinefunction(function) else run


def _aware(moment: Any) -> Any:
    return timezone.make_aware(moment) if moment is not None and timezone.is_naive(moment) else moment

"""Django's tasks."""
# Django tells no types.
# mypy: disable-error-code="untyped-decorator"

import os
from typing import Any

from opwright.integrations.django.task_api import TaskContext

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task


class Refused(Exception):
    """An error of the project's own."""


@task
def add(a: int, b: int = 2) -> int:
    """Sum."""
    return a + b


@task(priority=7, queue_name="mail", takes_context=True)
async def letter(context: TaskContext, to: str) -> dict[str, Any]:
    """What it knows of itself."""
    result = context.task_result
    return {"to": to, "id": result.id, "attempt": context.attempt, "status": result.status, "args": result.args}


@task(backend="patient")
def refuse(text: str) -> None:
    """Always an error."""
    raise Refused(f"{text}\nof two lines")


@task
def odd() -> object:
    """What JSON cannot hold."""
    return object()


@task
def vanish() -> None:
    """Takes its process with it."""
    os._exit(3)

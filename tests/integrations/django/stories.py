"""``python -m tests.integrations.django.stories NAME``: what an application does, told by one that has Django set up."""

from __future__ import annotations

import asyncio
import re
import sys
from dataclasses import replace
from datetime import timedelta
from typing import Any

import django
import pytest

django.setup()

from asgiref.sync import sync_to_async  # noqa: E402 - nothing of the project can be imported before
from django.db import IntegrityError, connection, connections, transaction  # noqa: E402 - the same
from django.utils import timezone  # noqa: E402 - the same

from opwright import KeyTaken, OperationFailed, OperationNotFound, Status  # noqa: E402 - the same
from opwright.integrations.django import ops  # noqa: E402 - the same
from opwright.integrations.django.place import address_of  # noqa: E402 - the same
from opwright.integrations.django.task_api import (  # noqa: E402 - the same
    InvalidTask,
    Task,
    TaskResultDoesNotExist,
    TaskResultStatus,
    task_enqueued,
)
from tests.integrations.django.project import tasks  # noqa: E402 - the same
from tests.integrations.django.project.models import Photo  # noqa: E402 - the same
from tests.integrations.django.project.operations import ameet, meet, render  # noqa: E402 - the same

SECONDS = 30.0


def raises(kind: type[BaseException], words: str, function: Any, *args: Any, **kwargs: Any) -> None:
    with pytest.raises(kind, match=re.escape(words)):
        function(*args, **kwargs)


def counted() -> int:
    """Operations, as Django's connection sees them."""
    place = "opwright_operations" if connection.vendor == "sqlite" else "opwright.operations"
    with connection.cursor() as cursor:
        cursor.execute(f"select count(*) from {place}")
        return int(cursor.fetchone()[0])


def place_photo(name: str) -> Any:
    """A view: data and its operation together."""
    with transaction.atomic():
        photo = Photo.objects.create(name=name)
        return render.submit(photo.id).now()


def rollback() -> None:
    """A block that is rolled back leaves nothing, and its connection goes on."""
    try:
        with transaction.atomic():
            handle = render.submit(Photo.objects.create(name="cat").id).now()
            many = render.submit_many([(1,), {"photo": 2}]).now()
            assert counted() == 3
            raise IntegrityError("thought better of it")
    except IntegrityError:
        pass
    assert (counted(), Photo.objects.count()) == (0, 0)
    for gone in (handle, *many):
        raises(OperationNotFound, "never committed", gone.status().now)


def savepoints() -> None:
    """An inner block is rolled back alone; a submit that is refused harms no block."""
    with transaction.atomic():
        outer = render.options(key="one").submit(1).now()
        try:
            with transaction.atomic():
                inner = render.submit(2).now()
                raise IntegrityError("only this")
        except IntegrityError:
            pass
        raises(KeyTaken, "is held by operation", render.options(key="one").submit(1).now)
        Photo.objects.create(name="still possible")
        outer.id  # noqa: B018 - known before the commit
    assert outer.cancel().now()
    assert counted() == 1
    raises(OperationNotFound, str(inner.id), inner.status().now)


def autocommit_and_async() -> None:
    """Outside of a block Django commits at once. In an event loop a submit has a transaction of its own."""
    assert meet.submit().now().status().now() is Status.PENDING

    async def view() -> None:
        own = await meet.submit()
        joined = await sync_to_async(place_photo)("async")
        assert await own.status() is await joined.status() is Status.PENDING

    asyncio.run(view())
    with transaction.atomic():
        other = meet.options(on=connections["default"]).submit().now()
    assert other.cancel().now()


def transactions() -> None:
    rollback()
    savepoints()
    autocommit_and_async()


def committed_work() -> None:
    """What was committed is carried out by the project's workers, which see its data and keep no stale connection."""
    assert place_photo("dog").result(SECONDS).now() == "dog at 640"
    for trigger in (meet, meet, ameet, ameet):
        _pid, was_open = trigger.submit().now().result(SECONDS).now()
        assert not was_open


def enqueue_and_read() -> None:
    heard = []
    task_enqueued.connect(lambda sender, task_result, **_: heard.append((sender.__name__, task_result.id)), weak=False)
    with transaction.atomic():
        result = tasks.add.enqueue(1, b=5)
        assert result.status is TaskResultStatus.READY
        found = tasks.add.get_result(result.id)  # the block sees what it has enqueued
        assert replace(found, enqueued_at=result.enqueued_at) == result
        raises(ValueError, "not finished", lambda: result.return_value)
    assert heard == [("OpwrightBackend", result.id)]
    ops.handle(result.id).result(SECONDS).now()
    result.refresh()
    assert (result.status, result.return_value, result.attempts) == (TaskResultStatus.SUCCESSFUL, 6, 1)
    assert result.enqueued_at <= result.started_at <= result.finished_at
    assert (result.args, result.kwargs, result.errors) == ([1], {"b": 5}, [])


def enqueue_async() -> None:
    async def view() -> Any:
        result = await tasks.letter.aenqueue("you")
        await ops.handle(result.id).result(SECONDS)
        return await tasks.letter.aget_result(result.id)

    found = asyncio.run(view())
    assert found.return_value == {"to": "you", "id": found.id, "attempt": 1, "status": "RUNNING", "args": ["you"]}
    assert (found.task.priority, found.task.queue_name) == (7, "mail")


def failures() -> None:
    ended = {}
    for task in (tasks.refuse.using(priority=1), tasks.odd, tasks.vanish):
        result = task.enqueue(*(["no"] if task.func is tasks.refuse.func else []))
        raises(OperationFailed, "failed", ops.handle(result.id).result(SECONDS).now)
        result.refresh()
        assert result.status is TaskResultStatus.FAILED
        raises(ValueError, "failed", lambda result=result: result.return_value)
        ended[task.name] = result
    refused = ended["refuse"]
    assert [error.exception_class for error in refused.errors] == [tasks.Refused] * 2, "each attempt's"
    assert refused.attempts == 2
    assert refused.errors[-1].traceback.startswith("Traceback (most recent call last):\n")
    assert refused.errors[-1].traceback.endswith("tasks.Refused: no\nof two lines")
    assert [error.exception_class_path for error in ended["odd"].errors] == ["builtins.TypeError"]
    assert {error.exception_class_path for error in ended["vanish"].errors} == {"opwright.errors.OperationFailed"}
    assert ended["vanish"].attempts == 4


def later_and_cancelled() -> None:
    soon = timezone.now() + timedelta(hours=1)
    result = tasks.add.using(run_after=soon, priority=-3).enqueue(1)
    assert abs(tasks.add.get_result(result.id).task.run_after - soon) < timedelta(milliseconds=2)
    assert ops.handle(result.id).cancel().now()
    gone = ops.registry.get(tasks.add.module_path).options(queue="gone", delay=60).submit(args=[2], kwargs={}).now()
    assert tasks.add.get_result(str(gone.id)).task.queue_name == "gone"
    assert gone.cancel().now()
    result.refresh()
    assert (result.status, result.attempts) == (TaskResultStatus.FAILED, 0)
    assert [error.exception_class_path for error in result.errors] == ["opwright.errors.OperationCancelled"]


def late() -> None:
    """Declared after Django was set up."""


def refusals() -> None:
    before = counted()
    raises(TypeError, "Unsupported", tasks.add.enqueue, timezone.now())
    raises(InvalidTask, "Queue 'none'", lambda: tasks.add.using(queue_name="none"))
    raises(InvalidTask, "module level", lambda: Task(func=lambda: None))
    raises(InvalidTask, "worker processes do not know it", Task(func=late).enqueue)
    late.__qualname__ = "another"
    raises(InvalidTask, "two functions", lambda: Task(func=_named(late)))
    for identifier in ("1", "no number", str(1 << 63), render.options(start_at=timezone.now()).submit(1).now().id):
        raises(TaskResultDoesNotExist, str(identifier), tasks.add.get_result, str(identifier))
    assert counted() == before + 1


def _named(function: Any) -> Any:
    """Another function of the same name."""

    def other() -> None:
        """Its namesake."""

    other.__module__, other.__qualname__ = function.__module__, "late"
    return other


def tasks_backend() -> None:
    enqueue_and_read()
    enqueue_async()
    failures()
    later_and_cancelled()
    refusals()


def apart() -> None:
    """Operations in a database of their own outlive a rolled back block of another one, and tasks are found there."""
    try:
        with transaction.atomic():
            result = tasks.add.enqueue(1)
            raise IntegrityError("of the application")
    except IntegrityError:
        pass
    assert tasks.add.get_result(result.id).status is TaskResultStatus.READY


def addresses() -> None:
    """The address that follows from DATABASES."""
    postgresql = {"ENGINE": "django.db.backends.postgresql", "NAME": "app"}
    expected: list[tuple[dict[str, Any], str]] = [
        (postgresql, "postgresql:///app"),
        (
            postgresql | {"USER": "me", "PASSWORD": "a:/@b", "HOST": "db", "PORT": 5433, "OPTIONS": {"sslmode": "require"}},
            "postgresql://me:a%3A%2F%40b@db:5433/app?sslmode=require",
        ),
        (postgresql | {"HOST": "::1", "OPTIONS": {"pool": True, "assume_role": "r"}}, "postgresql://[::1]/app?role=r"),
        (postgresql | {"HOST": "/run/pg", "PORT": "5433"}, "postgresql:///app?host=%2Frun%2Fpg&port=5433"),
        ({"ENGINE": "django.db.backends.sqlite3", "NAME": "/data/a b.db"}, "sqlite:////data/a b.db"),
    ]
    for settings, url in expected:
        assert address_of(_connection(settings)) == url
    raises(Exception, "names its file by the URI", address_of, _connection({**expected[-1][0], "NAME": "file:/data/x"}))
    oracle = _connection(postgresql)
    oracle.vendor, oracle.display_name = "oracle", "Oracle"
    raises(Exception, "is Oracle, and Opwright keeps operations in PostgreSQL or SQLite", address_of, oracle)


def _connection(settings: dict[str, Any]) -> Any:
    """A connection that is not made."""
    from django.db.utils import ConnectionHandler

    return ConnectionHandler({"default": settings})["default"]


if __name__ == "__main__":
    globals()[sys.argv[1]]()

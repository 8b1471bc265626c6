"""Triggers, found by their module's name."""

import os

from asgiref.sync import sync_to_async
from django.db import connection

from opwright.integrations.django import ops
from tests.integrations.django.project.models import Photo


def _meet() -> tuple[int, bool]:
    was_open = connection.connection is not None
    Photo.objects.count()
    return os.getpid(), was_open


@ops.operation
def render(photo: int, width: int = 640) -> str:
    """Reads what was committed together with it."""
    return f"{Photo.objects.get(id=photo).name} at {width}"


@ops.operation
def meet() -> tuple[int, bool]:
    """In which process it runs, and whether a connection of an earlier operation is still open there."""
    return _meet()


@ops.operation
async def ameet() -> tuple[int, bool]:
    """The same for asynchronous code, whose connection lives in another thread."""
    return await sync_to_async(_meet)()

"""Django's connections in a worker: none that is broken or too old is met by an operation, as no request meets one."""

from __future__ import annotations

import asyncio
from collections.abc import Generator

from asgiref.sync import SyncToAsync
from django.db import close_old_connections

from opwright.workers.current import Current


def in_event_loop() -> bool:
    """Whether Django's connections would refuse to work here."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def fresh_connections(_: Current) -> Generator[None, None, None]:
    """Wrapped around every attempt. CONN_MAX_AGE and CONN_HEALTH_CHECKS so hold as between two requests."""
    _close_old()
    try:
        yield
    finally:
        _close_old()


def _close_old() -> None:
    """Close them in the thread where they are used: for asynchronous code that is the one behind ``sync_to_async``.

    There it stands in line before the first question of the attempt, and after its last; an atomic block is let be.
    """
    if in_event_loop():
        SyncToAsync.single_thread_executor.submit(close_old_connections)
    else:
        close_old_connections()

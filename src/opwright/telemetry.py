"""One place where Opwright says what happens: named events with fields.

An event costs one dictionary look-up when nobody listens. Logging, metrics and tests are listeners. Names are
``noun.verb`` (``worker.died``, ``claim.taken``) and stand beside the code that emits them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

logger = logging.getLogger("opwright")

Listener = Callable[[str, dict[str, Any]], None]

_listeners: list[Listener] = []


def emit(name: str, **fields: Any) -> None:
    """Tell every listener that ``name`` happened. A listener that raises is logged and disturbs nothing."""
    for listener in tuple(_listeners):
        try:
            listener(name, fields)
        except Exception:  # a broken metrics hook must never stop a claim
            logger.exception("a telemetry listener failed on %s", name)


def listen(listener: Listener) -> Callable[[], None]:
    """Call ``listener(name, fields)`` for every event from now on; returns the function that ends it."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def in_a_line(error: Exception) -> str:
    """An error for a line of the log; of a group, those that it is made of."""
    return ", ".join(map(in_a_line, error.exceptions)) if isinstance(error, ExceptionGroup) else repr(error)


def without_the_way(error: Exception) -> Exception:
    """An error for the log: a group says where its parts were raised, and no longer by which way it came here."""
    return error.with_traceback(None) if isinstance(error, ExceptionGroup) else error


@contextmanager
def recorded() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Collect the events of a block, in order."""
    events: list[tuple[str, dict[str, Any]]] = []
    end = listen(lambda name, fields: events.append((name, fields)))
    try:
        yield events
    finally:
        end()

"""Submits that are kept back, to be written in the transaction that ends the operation which made them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opwright.model.operation import NewOperation
from opwright.workers.current import current_or_none

_kept: ContextVar[list[NewOperation] | None] = ContextVar("opwright kept submits", default=None)


@contextmanager
def keeping() -> Iterator[list[NewOperation]]:
    """Keep back what is submitted in this block without a key."""
    kept: list[NewOperation] = []
    token = _kept.set(kept)
    try:
        yield kept
    finally:
        _kept.reset(token)


def kept_submits() -> list[NewOperation] | None:
    """Where a submit is to be kept; None when it is not, or when the end it would wait for is written already."""
    current = current_or_none()
    return None if current is None or current.over else _kept.get()

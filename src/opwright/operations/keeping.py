"""Submits that are kept back, to be written in the transaction that ends the operation which made them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from opwright.model.operation import NewOperation
from opwright.workers.current import Current, current_or_none

if TYPE_CHECKING:
    from opwright.operations.client import Client


class Kept(list[NewOperation]):
    """What is kept back, until it is ``closed``: what comes then is written on its own."""

    closed = False


_kept: ContextVar[Kept | None] = ContextVar("opwright kept submits", default=None)


@contextmanager
def keeping() -> Iterator[Kept]:
    """Keep back what is submitted in this block without a key."""
    kept = Kept()
    token = _kept.set(kept)
    try:
        yield kept
    finally:
        _kept.reset(token)


def kept_submits(client: Client) -> Kept | None:
    """Where a submit through this client is to be kept; None when it is not, or when the end it would wait for is written."""
    current = operation_of(client)
    kept = _kept.get()
    return None if current is None or current.over or kept is None or kept.closed else kept


def operation_of(client: Client) -> Current | None:
    """The operation that runs this code, if it is one of the same application: another one has another database."""
    current = current_or_none()
    return current if current is not None and getattr(current.function, "client", None) is client else None

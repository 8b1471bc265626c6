"""Calls that do not count as use."""

from collections.abc import Iterator
from contextlib import contextmanager

from opwright.computed.node import current


@contextmanager
def isolated() -> Iterator[None]:
    """Inside this block a computed function may call others without depending on them."""
    token = current.set(None)
    try:
        yield
    finally:
        current.reset(token)

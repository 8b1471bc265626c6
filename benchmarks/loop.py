"""The event loop of every measure: uvloop where it installs, as documented for production."""

import asyncio
from collections.abc import Coroutine
from importlib.metadata import version
from typing import Any, TypeVar

try:
    import uvloop
except ImportError:  # no wheel for this platform
    LOOP = "asyncio"
    _factory = asyncio.new_event_loop
else:
    LOOP = f"uvloop {version('uvloop')}"
    _factory = uvloop.new_event_loop

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run it in a loop of its own."""
    with asyncio.Runner(loop_factory=_factory) as runner:
        return runner.run(coroutine)

"""Waiting for what another process does, with a bound."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def until(holds: Callable[[], bool | Awaitable[bool]], *, seconds: float, what: str, step: float = 0.005) -> float:
    """Ask again and again; when it held, by the clock of all processes. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while True:
        answer = holds()
        if answer if isinstance(answer, bool) else await answer:
            return time.monotonic()
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        await asyncio.sleep(step)

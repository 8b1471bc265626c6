"""Pauses between samples, long enough for everything to fall idle, and never in step with anybody's clock."""

import asyncio
import random


async def gap() -> None:
    """Wait 20 to 40 ms."""
    await asyncio.sleep(random.uniform(0.02, 0.04))

"""Writes that are sent again: rolled back by a conflict, or answered by nobody because the connection broke.

What was sent may have been committed, may still be under way, or may be lost. Sending it once more under the same ids settles
that: the database lets the second wait for the first and then refuses it as a duplicate, or takes it. Rejected: looking
whether it is there, for what is still under way is not there yet.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from opwright.errors import RowRefused, StoreConflict, StoreError, StoreUncertain
from opwright.service import backoff_pause
from opwright.store.engine import Engine, Plan

T = TypeVar("T")
PAUSES = (0.01, 0.05, 0.2, 0.8)  # seconds, each jittered, before what met a conflict is tried once more
SECONDS = 30.0  # after which a lost answer is told to the caller; how long records are spared follows from it (`store/sweeps.py`)


async def surely(write: Callable[[], Awaitable[T]], repeat: Callable[[], Awaitable[T]]) -> T:
    """``write``; after a lost answer ``repeat``, until the database says what became of it.

    ``repeat`` must find what the write has left behind. Raises StoreUncertain when the database gives no answer for 30 seconds.
    """
    try:
        return await write()
    except StoreUncertain as error:
        lost = error
    return await _settled(repeat, lost)


async def played(engine: Engine, plan: Callable[[], Plan[T]]) -> T:
    """What a plan returns, made anew for each try after a conflict. Raises StoreConflict."""
    return await past_conflicts(lambda: engine.play(plan()))


async def past_conflicts(write: Callable[[], Awaitable[T]]) -> T:
    """``write``, again while the database rolls it back because of a conflict, a few times. Raises StoreConflict."""
    for pause in PAUSES:
        try:
            return await write()
        except StoreConflict:
            await asyncio.sleep(random.uniform(0.5, 1.5) * pause)  # noqa: S311 - jitter, not a secret
    return await write()


async def _settled(repeat: Callable[[], Awaitable[T]], lost: StoreUncertain) -> T:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SECONDS
    tries = 0
    while True:
        try:
            return await repeat()
        except RowRefused:  # the first would have been refused as well
            raise
        except StoreError as error:  # says nothing of the first
            tries += 1
            pause = backoff_pause(tries)
            if loop.time() + pause > deadline:
                raise StoreUncertain(f"{lost}; the database stayed away for {SECONDS:g} s, so it may be stored or not") from error
            await asyncio.sleep(pause)

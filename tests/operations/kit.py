"""What the tests of submitting say often."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from opwright import Handle, Opwright
from tests.contract.kit import query

PATIENCE = 15.0
TABLES = ("operations", "ready", "delayed", "claimed", "outcomes", "operation_keys")


async def eventually(check: Callable[[], Awaitable[bool]], what: str, patience: float = PATIENCE) -> None:
    """Wait for a moment that must come."""
    deadline = time.monotonic() + patience
    while not await check():
        assert time.monotonic() < deadline, f"it never came: {what}"
        await asyncio.sleep(0.005)


async def rows(ops: Opwright) -> dict[str, int]:
    """How many rows stand in each table that is not empty."""
    union = " union all ".join(f"select '{table}', count(*) from opwright.{table}" for table in TABLES)
    return {table: count for table, count in await query(await ops.client.store(), union) if count}


class Work:
    """Operations that run until they are told to go."""

    def __init__(self, ops: Opwright) -> None:
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.runs = 0

        @ops.operation
        async def work() -> str:
            self.runs += 1
            self.begun.set()
            await self.go.wait()
            return "done"

        self.trigger = work

    async def running(self) -> Handle[str]:
        """One that has begun."""
        handle = await self.trigger.submit()
        await asyncio.wait_for(self.begun.wait(), 10)
        return handle

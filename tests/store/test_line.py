"""Who wants to write to an SQLite file stands in line, and it can be told whether there is one."""

import asyncio

from opwright.store.line import Line


async def write(line: Line) -> None:
    async with line:
        """Nothing takes long here."""


async def test_who_has_been_called_up_and_has_not_begun_is_still_in_line() -> None:
    """A lock is free at that moment, but not for whoever comes then."""
    line = Line()

    async with line:
        waiting = asyncio.create_task(write(line))
        await asyncio.sleep(0)
        assert line.length == 2
    assert line.length == 1
    await waiting
    assert line.length == 0


async def test_who_gives_up_leaves_the_line() -> None:
    """And nobody waits behind him."""
    line = Line()

    async with line:
        waiting = asyncio.create_task(write(line))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert line.length == 1
    async with asyncio.timeout(10):
        await write(line)
    assert line.length == 0

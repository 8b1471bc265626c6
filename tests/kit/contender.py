"""``python -m tests.kit.contender KEY COUNT``: once a line on its stdin says so, it submits the key so often at once.

Writes what came of each submit, as JSON: the id of what was submitted, and the id of the winner that it was told.
"""

import asyncio
import json
import sys

from opwright import KeyTaken
from tests.kit.worker import application


async def contend(key: str) -> tuple[int | None, int]:
    """One submit: (its id, None where it lost; the id of who won)."""
    try:
        handle = await application.note.options(key=key).submit("won")
    except KeyTaken as taken:
        return None, taken.winner
    return handle.id, handle.id


async def main(key: str, count: int) -> None:
    async with application.ops:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        sys.stdout.write(json.dumps(await asyncio.gather(*(contend(key) for _ in range(count)))) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))

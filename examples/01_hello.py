"""One trigger, one operation, one SQLite file: `python examples/01_hello.py`."""  # noqa: N999

import asyncio
import os

from opwright import Opwright

ops = Opwright("sqlite:///hello.db")  # worker processes import this module, so `ops` stands at its top level


@ops.operation
def greet(name: str) -> str:
    return f"Hello, {name}, from process {os.getpid()}!"


async def main() -> None:
    async with ops.host(workers=2):  # until the block ends, operations are done by two worker processes
        handle = await greet.submit("world")
        print(f"Process {os.getpid()} submitted operation {handle.id}.")
        print(await handle.result(timeout=30))


if __name__ == "__main__":
    asyncio.run(main())

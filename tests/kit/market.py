"""A market whose prices every process caches: 450 of them, and the sums of 50 shelves with nine each."""

import os
import sys
import time
from collections import Counter
from dataclasses import dataclass

import asyncpg

from opwright import OperationScope, Opwright
from opwright.app.target import Target
from tests.kit.diary import Diary

PRICES, SHELF = 450, 9
VALUES = PRICES + PRICES // SHELF

_runs: Counter[str] = Counter()
_connections: list[asyncpg.Connection] = []


@dataclass(frozen=True)
class SetPrice:
    product: int
    price: int


async def connection() -> asyncpg.Connection:
    """The application's own connection; after a restart of the server another one."""
    if not _connections or _connections[0].is_closed():
        _connections[:] = [await asyncpg.connect(os.environ["OPWRIGHT_URL"])]
    return _connections[0]


class Market:
    """The application. Its triggers look into the caches of the process that runs them: give each host a queue of its own."""

    module = "tests.kit.marketer"

    def __init__(self, url: str) -> None:
        self.url = url
        self.ops = ops = Opwright(url)
        ops.found_at(Target(self.module, None, "ops", tuple(sys.path)))

        @ops.computed
        async def price(product: int) -> int:
            _runs[f"price {product}"] += 1
            return int(await (await connection()).fetchval("select price from prices where product = $1", product))

        @ops.computed
        async def shelf(number: int) -> int:
            _runs[f"shelf {number}"] += 1
            return sum([await price(product) for product in range(number * SHELF, (number + 1) * SHELF)])

        @ops.command
        async def set_price(command: SetPrice, scope: OperationScope) -> int:
            own = await scope.connection()
            await own.execute("update prices set price = $1 where product = $2", command.price, command.product)
            return scope.id

        @set_price.invalidates
        def concerned(command: SetPrice) -> None:
            price.invalidate(command.product)

        async def read(after: int) -> tuple[int, dict[str, int]]:
            """Read every value, once the log was read up to an operation: their sum, and which bodies ran for that."""
            if after:
                await ops.caught_up(after)
            before = _runs.copy()
            values = [await price(product) for product in range(PRICES)]
            values += [await shelf(number) for number in range(PRICES // SHELF)]
            return sum(values), dict(_runs - before)

        async def watch(product: int, name: str) -> float:
            """Wait until a price is invalidated; when that was, by the clock that all processes of a machine share."""
            cached = await price.computed(product)
            Diary.found().write("watches", name)
            await cached.when_invalidated()
            return time.time()

        self.set_price = set_price
        self.read = ops.operation(read)
        self.watch = ops.operation(watch)

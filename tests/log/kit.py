"""A shop as several processes have it: prices in a place that all share, cached by each."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from opwright import LogEntry, OperationScope, Opwright
from opwright.clock import Clock
from opwright.log.reader import DbOperationLogReader
from tests.kit.waiting import eventually


@dataclass(frozen=True)
class SetPrice:
    product: str
    price: int


@dataclass(frozen=True)
class Discount:
    """An item."""

    percent: int


class Shop:
    """One process of it. ``runs``: how often each body ran; ``broken``: products at which its invalidation fails."""

    def __init__(self, url: str, prices: dict[str, int], clock: Clock | None = None, log_watcher: Any = "auto") -> None:
        self.ops = ops = Opwright(url, clock=clock, log_watcher=log_watcher)
        self.prices = prices
        self.runs: Counter[str] = Counter()
        self.invalidated: list[str] = []
        self.broken: set[str] = set()
        self.seen: list[LogEntry] = []

        @ops.computed
        async def price(product: str) -> int:
            self.runs[product] += 1
            return prices.get(product, 0)

        @ops.computed
        async def total() -> int:
            self.runs["total"] += 1
            return sum([await price(product) for product in sorted(prices)])

        @ops.command
        async def set_price(command: SetPrice, scope: OperationScope) -> int:
            prices[command.product] = command.price
            scope.items.keyless_set(Discount(command.price))
            return scope.id

        @set_price.invalidates
        def concerned(command: SetPrice, entry: LogEntry) -> None:
            self.seen.append(entry)
            self.invalidated.append(command.product)
            if command.product in self.broken:
                raise RuntimeError("it cannot be invalidated")
            price.invalidate(command.product)

        self.price, self.total = price, total

    async def sell(self, product: str, price: int) -> int:
        """Set a price by a command; the id of its operation."""
        number: int = await self.ops.call(SetPrice(product, price))
        return number

    async def read(self) -> list[int]:
        """Every price and the total."""
        return [*[await self.price(product) for product in sorted(self.prices)], await self.total()]

    @property
    def reader(self) -> DbOperationLogReader:
        """What reads the log here."""
        station = self.ops.reading._station
        assert station is not None
        return station.reader


@asynccontextmanager
async def stepped(shop: Shop) -> AsyncIterator[DbOperationLogReader]:
    """The shop open, its reader begun, and every further step the test's."""
    async with shop.ops:
        await shop.read()
        await shop.reader.stop()
        await shop.reader.run_once()
        yield shop.reader


async def follows(shop: Shop) -> None:
    """Until its log is read."""
    await eventually(lambda: shop.ops.log_status().following)


def lines(caplog: Any, level: str) -> list[str]:
    """What Opwright logged at a level; what asyncio says of loops that other tests have closed is none of it."""
    return [one.getMessage() for one in caplog.records if one.levelname == level and one.name.startswith("opwright")]

"""How many durable commands are called in a second, each with a row of the application's and its log entry in one transaction."""

import sqlite3
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.bench import Bench, Engine
from benchmarks.figures import Figure, measure, rate
from benchmarks.floors.command import BUSINESS, POSTGRESQL, SQLITE
from benchmarks.goals import at_least
from opwright import OperationScope, Opwright
from opwright.store import own


@dataclass(frozen=True)
class PlaceOrder:
    customer: int
    text: str = "an order"


def _orders(url: str) -> Opwright:
    ops = Opwright(url)

    @ops.command
    async def place_order(order: PlaceOrder, scope: OperationScope) -> int:
        await _execute(await scope.connection(), BUSINESS, order.text)
        return order.customer

    return ops


async def _execute(connection: Any, statement: str, *values: str) -> None:
    """As each driver has it."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute(statement, values)
    else:
        await connection.execute(statement, *values)


@measure("command.postgresql", floors=["floor.command.postgresql"])
async def postgresql(bench: Bench) -> list[Figure]:
    return [await _called(bench, "postgresql", POSTGRESQL[0])]


@measure("command.sqlite", floors=["floor.command.sqlite"])
async def sqlite(bench: Bench) -> list[Figure]:
    return [await _called(bench, "sqlite", SQLITE[0])]


async def _called(bench: Bench, engine: Engine, table: str) -> Figure:
    count, floor = bench.amount(2000, 200), f"floor.command.{engine}"
    with bench.database(engine) as url:
        ops = _orders(url)
        async with ops:
            await _make(ops, table)
            await ops.call(PlaceOrder(0))
            started = time.perf_counter()
            for one in range(count):
                await ops.call(PlaceOrder(one))
            seconds = time.perf_counter() - started
    return rate(f"command.{engine}", count / seconds, floor=floor, goals=(at_least(0.6, floor),))


async def _make(ops: Opwright, table: str) -> None:
    async with own.transaction((await ops.client.store()).engine) as connection:
        await _execute(connection, table)

"""How many durable commands are called in a second, each with a row of the application's and its log entry in one transaction."""

import sqlite3
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.bench import Bench, Engine
from benchmarks.figures import Figure, measure, rate
from benchmarks.floors.command import BUSINESS, POSTGRESQL, SQLITE, Write, bare_postgresql, bare_sqlite
from benchmarks.goals import at_least
from opwright import OperationScope, Opwright
from opwright.store import own

BLOCK = 100


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


@measure("command.postgresql", "floor.command.postgresql")
async def postgresql(bench: Bench) -> list[Figure]:
    async with bare_postgresql(bench) as write:
        return await _in_turn(bench, "postgresql", POSTGRESQL[0], write)


@measure("command.sqlite", "floor.command.sqlite")
async def sqlite(bench: Bench) -> list[Figure]:
    async with bare_sqlite(bench) as write:
        return await _in_turn(bench, "sqlite", SQLITE[0], write)


async def _in_turn(bench: Bench, engine: Engine, table: str, write: Write) -> list[Figure]:
    """A hundred bare transactions, a hundred commands, and so on: the disk is not the same in every second."""
    blocks, floor = bench.amount(20, 2), f"floor.command.{engine}"
    written = called = 0.0
    with bench.database(engine) as url:
        ops = _orders(url)
        async with ops:
            await _make(ops, table)
            await ops.call(PlaceOrder(0))
            for first in range(0, blocks * BLOCK, BLOCK):
                written += await _seconds(write, first)
                called += await _seconds(lambda number: ops.call(PlaceOrder(number)), first)
    count = blocks * BLOCK
    return [
        rate(floor, count / written),
        rate(f"command.{engine}", count / called, floor=floor, goals=(at_least(0.6, floor),)),
    ]


async def _seconds(write: Write, first: int) -> float:
    started = time.perf_counter()
    for number in range(first, first + BLOCK):
        await write(number)
    return time.perf_counter() - started


async def _make(ops: Opwright, table: str) -> None:
    async with own.transaction((await ops.client.store()).engine) as connection:
        await _execute(connection, table)

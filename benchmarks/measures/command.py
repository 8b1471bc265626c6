"""How many durable commands are called in a second, each with a row of the application's and its log entry in one transaction."""

import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.bench import Bench, Engine
from benchmarks.figures import Figure, measure, rate
from benchmarks.floors.command import BUSINESS, POSTGRESQL, SQLITE, Write, awaited_sqlite, bare_postgresql, bare_sqlite
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
        return await _in_turn(bench, "postgresql", POSTGRESQL[0], {"floor.command.postgresql": write})


@measure("command.sqlite", "floor.command.sqlite", "floor.command.sqlite.async")
async def sqlite(bench: Bench) -> list[Figure]:
    async with bare_sqlite(bench) as write, awaited_sqlite(bench) as awaited:
        floors = {"floor.command.sqlite": write, "floor.command.sqlite.async": awaited}
        return await _in_turn(bench, "sqlite", SQLITE[0], floors)


@asynccontextmanager
async def called(bench: Bench, engine: Engine, table: str) -> AsyncIterator[tuple[str, Write]]:
    """The address of a database, and what calls a warm command there."""
    with bench.database(engine) as url:
        ops = _orders(url)
        async with ops:
            await _make(ops, table)
            await ops.call(PlaceOrder(0))
            yield url, lambda number: ops.call(PlaceOrder(number))


async def _in_turn(bench: Bench, engine: Engine, table: str, floors: dict[str, Write]) -> list[Figure]:
    """A hundred bare transactions of each kind, a hundred commands, and so on: the disk is not the same in every second."""
    blocks, command = bench.amount(20, 2), f"command.{engine}"
    async with called(bench, engine, table) as (_, call):
        writes: dict[str, Write] = {**floors, command: call}
        taken = dict.fromkeys(writes, 0.0)
        for first in range(0, blocks * BLOCK, BLOCK):
            for name, write in writes.items():
                taken[name] += await _seconds(write, first)
    reached = {name: blocks * BLOCK / seconds for name, seconds in taken.items()}
    figures = [rate(name, reached[name]) for name in floors]
    first_floor, *_ = floors
    goals = tuple(at_least(0.6, name) for name in floors)
    return [*figures, rate(command, reached[command], floor=first_floor, goals=goals)]


async def _seconds(write: Write, first: int) -> float:
    started = time.perf_counter()
    for number in range(first, first + BLOCK):
        await write(number)
    return time.perf_counter() - started


async def _make(ops: Opwright, table: str) -> None:
    async with own.transaction((await ops.client.store()).engine) as connection:
        await _execute(connection, table)

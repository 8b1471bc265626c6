"""What can be done in the shop, and what is cached of it. It needs nothing of the web application."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from examples.shop.database import PRICES, URL, Order, Product, sessions
from opwright import LogEntry, OperationScope, Opwright
from opwright.integrations.sqlalchemy import session_of

ops = Opwright(URL)


class Refused(Exception):
    """An order that the shop cannot take."""


@dataclass(frozen=True)
class PlaceOrder:
    product: str
    pieces: int


@dataclass(frozen=True)
class Confirm:
    number: int


@dataclass(frozen=True)
class Confirmed:
    """What the command leaves for those who invalidate: the command itself knows the number only."""

    product: str


@dataclass(frozen=True)
class Line:
    """How a product stands."""

    product: str
    left: int
    sold: int
    confirmed: int
    cents: int


@dataclass(frozen=True)
class Overview:
    lines: list[Line]
    cents: int


@ops.command
async def place_order(order: PlaceOrder, scope: OperationScope) -> int:
    """Stock, order, log entry and event are one transaction."""
    session = await session_of(scope, sessions)
    product = await session.get(Product, order.product, with_for_update=True)
    if product is None:
        raise Refused(f"there is no {order.product}")
    if order.pieces < 1:
        raise Refused("an order is of one piece at least")
    if order.pieces > product.stock:
        raise Refused(f"there are {product.stock} of {product.name}, not {order.pieces}")
    product.stock -= order.pieces
    placed = Order(product=product.name, pieces=order.pieces)
    session.add(placed)
    await session.flush()
    scope.events.add(Confirm(placed.number))
    return placed.number


@ops.command
async def confirm(event: Confirm, scope: OperationScope) -> None:
    """Called after the commit, by whichever host is free, and again if that host dies."""
    session = await session_of(scope, sessions)
    order = await session.get_one(Order, event.number)
    order.confirmed = True
    scope.items.keyless_set(Confirmed(order.product))


@ops.computed
async def line(product: str) -> Line:
    async with sessions() as session:
        row = await session.get_one(Product, product)
        counted = select(Order.confirmed, func.sum(Order.pieces)).where(Order.product == product).group_by(Order.confirmed)
        pieces = {confirmed: int(count) for confirmed, count in await session.execute(counted)}
    sold = sum(pieces.values())
    return Line(product, row.stock, sold, pieces.get(True, 0), sold * row.cents)


@ops.computed
async def overview() -> Overview:
    """Made from the lines, so it changes with each of them; of these only the one concerned is read again."""
    lines = [await line(product) for product in PRICES]
    return Overview(lines, sum(one.cents for one in lines))


@place_order.invalidates
def ordered(order: PlaceOrder) -> None:
    line.invalidate(order.product)


@confirm.invalidates
def has_been_confirmed(_: Confirm, entry: LogEntry) -> None:
    line.invalidate(entry.items.keyless_get(Confirmed).product)

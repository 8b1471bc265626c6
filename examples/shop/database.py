"""One database, for products, orders and operations."""

from __future__ import annotations

import os

from sqlalchemy import ForeignKey, NullPool, make_url
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

URL = os.environ.get("DATABASE_URL", "sqlite:///shop.db")  # or postgresql://me@localhost/shop
DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
PRICES = {"cup": 950, "plate": 1400, "teapot": 4900}
STOCK = 1000

address = make_url(URL)
engine = create_async_engine(address.set(drivername=DRIVERS[address.drivername]), poolclass=NullPool)
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Product(Base):
    """What is sold, and how many there are left."""

    __tablename__ = "products"

    name: Mapped[str] = mapped_column(primary_key=True)
    cents: Mapped[int]
    stock: Mapped[int]


class Order(Base):
    """So many pieces of a product; confirmed by an event."""

    __tablename__ = "orders"

    number: Mapped[int] = mapped_column(primary_key=True)
    product: Mapped[str] = mapped_column(ForeignKey("products.name"), index=True)
    pieces: Mapped[int]
    confirmed: Mapped[bool] = mapped_column(default=False)


async def prepare() -> None:
    """Make the tables and fill the shelves, unless that was done before."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with sessions.begin() as session:
        for name, cents in PRICES.items():
            if await session.get(Product, name) is None:
                session.add(Product(name=name, cents=cents, stock=STOCK))

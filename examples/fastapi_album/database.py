"""One database, for the photos and for the operations, and what the application keeps in it."""

from __future__ import annotations

import os
from uuid import UUID

from sqlalchemy import BigInteger, NullPool, make_url
from sqlalchemy.ext.asyncio import AsyncAttrs, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

URL = os.environ.get("DATABASE_URL", "sqlite:///album.db")  # or postgresql://me@localhost/album
DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}

address = make_url(URL)
engine = create_async_engine(address.set(drivername=DRIVERS[address.drivername]), poolclass=NullPool)
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(AsyncAttrs, DeclarativeBase):
    pass


class Photo(Base):
    """A photo, and the operation that renders its thumbnail."""

    __tablename__ = "photos"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(unique=True)
    picture: Mapped[bytes] = mapped_column(deferred=True)
    thumbnail: Mapped[bytes | None] = mapped_column(deferred=True)
    operation: Mapped[int] = mapped_column(BigInteger)

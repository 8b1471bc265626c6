"""Models of an application, made anew for each test, because listeners stay with a model."""

from __future__ import annotations

from types import SimpleNamespace

from sqlalchemy import ForeignKey, Integer, String, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

SYNC = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
ASYNC = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}


def address(url: str, drivers: dict[str, str]) -> str:
    """The address of a database as SQLAlchemy wants it."""
    made = make_url(url)
    return made.set(drivername=drivers[made.drivername]).render_as_string(hide_password=False)


def models() -> SimpleNamespace:
    """Photos, of which some are panoramas, and their tags."""

    class Base(DeclarativeBase): ...

    class Tag(Base):
        __tablename__ = "tags"

        id: Mapped[int] = mapped_column(primary_key=True)
        photo: Mapped[int] = mapped_column(ForeignKey("photos.id"))
        word: Mapped[str] = mapped_column(String)

    class Photo(Base):
        __tablename__ = "photos"

        id: Mapped[int] = mapped_column(Integer, primary_key=True)
        title: Mapped[str] = mapped_column(String, unique=True)
        kind: Mapped[str] = mapped_column(String)
        tags = relationship(Tag, cascade="all, delete-orphan")
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "photo"}  # noqa: RUF012 - as SQLAlchemy has it

    class Panorama(Photo):
        __mapper_args__ = {"polymorphic_identity": "panorama"}  # noqa: RUF012 - the same

    return SimpleNamespace(Base=Base, Photo=Photo, Panorama=Panorama, Tag=Tag)

"""A connection of ours to PostgreSQL."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from opwright.store.engine import Row
from opwright.store.statements import Part

CLOSE_SECONDS = 2.0


class PostgresConnection:
    """A connection and the statements it has prepared: a prepared statement called directly costs two thirds of a ``fetch``.

    Each has a name. Without the driver's cache a statement has none unless it is given one, and is parsed and planned at each
    call.
    """

    def __init__(self, raw: Any, *, prepares: bool) -> None:
        self.raw = raw
        self._prepares = prepares
        self._prepared: dict[str, Any] = {}

    async def fetch(self, part: Part, values: dict[str, Any]) -> list[Row]:
        arguments = part.arguments(values)
        if not self._prepares:
            return await self.raw.fetch(part.sql, *arguments)  # type: ignore[no-any-return]
        prepared = self._prepared.get(part.sql)
        if prepared is None:
            prepared = await self.raw.prepare(part.sql, name=f"opwright_{len(self._prepared)}")
            self._prepared[part.sql] = prepared
        return await prepared.fetch(*arguments)  # type: ignore[no-any-return]

    def sound(self) -> bool:
        """Whether it can be used again: open, and in no transaction."""
        return not self.raw.is_closed() and not self.raw.is_in_transaction()

    def abandon(self) -> None:
        """Close the socket; the loop that could say good-bye is closed."""
        with suppress(Exception):
            own = self.raw._transport.get_extra_info("socket")  # noqa: SLF001 - the driver closes through its loop only
            getattr(own, "_sock", own).close()

    def discard(self) -> None:
        self.raw.terminate()

    async def close(self) -> None:
        with suppress(Exception):  # a connection that cannot say good-bye is gone all the same
            await self.raw.close(timeout=CLOSE_SECONDS)

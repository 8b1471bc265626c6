"""A queue as an application holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opwright.errors import ConfigurationError
from opwright.model.limit import Limit
from opwright.model.queue import QueueStanding
from opwright.operations.call import Call
from opwright.operations.request import checked_name

if TYPE_CHECKING:
    from opwright.operations.client import Client


class Queue:
    """Pause a queue for all hosts, resume it, see what it holds."""

    def __init__(self, client: Client, name: str, limit: Limit | None = None) -> None:
        self.name = checked_name("queue", name)
        self._client = client
        if limit is not None and client.limits.setdefault(self.name, limit) != limit:
            raise ConfigurationError(f"queue {name!r}: it has another limit already, {client.limits[name]}, not {limit}")

    def __repr__(self) -> str:
        return f"<queue {self.name}>"

    def pause(self) -> Call[None]:
        """Begin nothing more of it, on any host, until it is resumed; what a host has taken already goes on."""
        return Call("pause()", self._pause)

    def resume(self) -> Call[None]:
        """Begin its operations again."""
        return Call("resume()", self._resume)

    def standing(self) -> Call[QueueStanding]:
        """How many of its operations stand where, and since when it is paused."""
        return Call("standing()", self._standing)

    async def _pause(self) -> None:
        await (await self._client.store()).queues.pause(self.name)

    async def _resume(self) -> None:
        await (await self._client.store()).queues.resume(self.name)
        self._client.wake()

    async def _standing(self) -> QueueStanding:
        all_queues = await (await self._client.store()).queues.all()
        empty = QueueStanding(self.name, 0, 0, 0, 0, 0, None)
        return next((one for one in all_queues if one.name == self.name), empty)

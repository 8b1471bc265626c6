"""The gateway to queues by name: pausing them, and what they hold."""

from __future__ import annotations

from opwright.model.queue import QueueStanding
from opwright.store.engine import Engine, Lane


class Queues:
    """Pause, resume, look."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def pause(self, queue: str) -> None:
        """Nothing more of it is claimed, by any host, until it is resumed."""
        await self._engine.run("pause_queue", Lane.CONTROL, queue=queue)

    async def resume(self, queue: str) -> None:
        """Claim from it again."""
        await self._engine.run("resume_queue", Lane.CONTROL, queue=queue)
        self._engine.notify()

    async def all(self) -> list[QueueStanding]:
        """Every queue that holds something or is known by name."""
        return [QueueStanding(**dict(row)) for row in await self._engine.run("queue_standings")]

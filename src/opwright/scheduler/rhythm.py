"""The rhythm of a scheduler: how often it looks, how long it waits, what it serves."""

from __future__ import annotations

from dataclasses import dataclass, field

from opwright.scheduler.verdicts import Patience


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How a scheduler behaves: ``heartbeat`` and ``kill_after`` in seconds; ``queues`` None for all."""

    heartbeat: float = 2.0
    kill_after: float = 5.0
    look_ahead: bool = True
    queues: tuple[str, ...] | None = None
    patience: Patience = field(default_factory=Patience)

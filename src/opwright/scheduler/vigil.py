"""Whether the services that a lease stands for still move."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from opwright.clock import Clock
from opwright.scheduler.ages import Ages
from opwright.service import Service
from opwright.telemetry import emit, logger


class Vigil:
    """Knows which service hangs: one whose step has not ended for ``bound`` seconds, or whose loop is dead for as long.

    A step that fails has ended: a database that is away stops nobody. ``gap``: the most seconds between two looks that count.
    """

    def __init__(self, services: Callable[[], Sequence[Service]], clock: Clock, *, bound: float, gap: float) -> None:
        self._services = services
        self._bound = bound
        self._ages = Ages[str](clock, gap)
        self._patience: dict[str, float] = {}  # by hanging service: the age at which its step is given up next

    def hanging(self) -> list[str]:
        """The names of those that hang now. Each is told once, and given up: at once, and again after every further bound."""
        beating = {service.name: service for service in self._services() if service.pulse is not None}
        ages = self._ages.look({name: service.pulse for name, service in beating.items()})
        hanging = [name for name, age in ages.items() if age >= self._bound]
        self._patience = {name: self._patience.get(name, self._bound) for name in hanging}
        for name in hanging:
            if ages[name] >= self._patience[name]:
                self._give_up(beating[name], ages[name])
        return hanging

    def _give_up(self, service: Service, age: float) -> None:
        first = self._patience[service.name] == self._bound
        self._patience[service.name] = age + self._bound
        if first:
            emit("service.hung", service=service.name, seconds=age)
            logger.error(
                "%s: a step has not ended for %.0f s; the lease is not renewed until one does, and the step is given up",
                service.name, age,
            )  # fmt: skip
        service.interrupt()

"""The application that is measured: triggers that do next to nothing."""

import sys
import time
from dataclasses import dataclass
from typing import Self

from opwright import Opwright, Trigger
from opwright.app.target import Target


async def nothing(number: int) -> None:
    """Cost nothing, so that what is measured is Opwright."""


async def began(number: int) -> int:  # noqa: ARG001 - so that both triggers have inputs
    """Tell when it began, by the clock that all processes of a machine share."""
    return time.monotonic_ns()


@dataclass(frozen=True, slots=True)
class Application:
    """An Opwright application on one database, and its triggers."""

    ops: Opwright
    nothing: Trigger[[int], None]
    began: Trigger[[int], int]

    @classmethod
    def on(cls, url: str) -> Self:
        """The application with its operations in this database."""
        ops = Opwright(url)
        application = cls(ops, ops.operation(nothing), ops.operation(began))
        ops.found_at(Target("benchmarks.worker", None, "ops", tuple(sys.path)))
        return application

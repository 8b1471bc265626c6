"""A sweep: one kind of regular deletion, as a plain step. It is no operation, so it runs under any gate and leaves no row."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Any

from opwright.clock import Clock, moment
from opwright.model.status import OutcomeCode
from opwright.store.sweeps import Sweeps, Swept
from opwright.telemetry import logger

BATCH = 500  # records in one transaction: some milliseconds, so that neither a claim nor a renewal feels it
Deleted = Counter[OutcomeCode]


class Sweep(ABC):
    """A name, an interval in seconds, and a step. Any number of hosts may run the same one at once: each record goes once."""

    def __init__(self, name: str, interval: float) -> None:
        self.name = name
        self.interval = interval

    @abstractmethod
    async def run_once(self) -> Counter[Any]:
        """Delete what is due; how many of each kind."""

    @abstractmethod
    def told(self, deleted: Counter[Any]) -> str:
        """What was deleted, in words."""


class OperationSweep(Sweep):
    """Deletes records of operations. ``level`` is that of the log lines that tell of each of them."""

    def __init__(self, name: str, interval: float, store: Sweeps, clock: Clock, level: int = logging.DEBUG) -> None:
        super().__init__(name, interval)
        self._store = store
        self._clock = clock
        self._level = level

    @abstractmethod
    async def run_once(self) -> Deleted:
        """Delete what is due; how many of each status."""

    def told(self, deleted: Deleted) -> str:
        """So many of each status."""
        counts = ", ".join(f"{count} {code.status}" for code, count in sorted(deleted.items()))
        return f"{deleted.total()} operations ({counts})"

    async def _delete(self, operations: Sequence[int]) -> Deleted:
        """Delete the records of those that nobody needs any more, and tell of each."""
        deleted = Deleted()
        for first in range(0, len(operations), BATCH):
            began = self._clock.monotonic()
            swept = await self._store.delete(operations[first : first + BATCH])
            deleted.update(one.code for one in swept)
            self._tell(swept)
            await asyncio.sleep(self._clock.monotonic() - began)  # half of the time belongs to everybody else
        return deleted

    def _tell(self, swept: Sequence[Swept]) -> None:
        if not logger.isEnabledFor(self._level):
            return
        for one in swept:
            logger.log(
                self._level, "%s: deleted operation %d: %s %s, submitted %s, ended %s%s", self.name, one.operation, one.trigger,
                one.code.status, moment(one.created), moment(one.ended), _reason(one.error),
            )  # fmt: skip


def _reason(error: str | None) -> str:
    """The first line of an error."""
    return "" if error is None else f": {error.partition(chr(10))[0]}"

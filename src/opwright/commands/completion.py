"""A command has been committed: the command that Opwright itself calls then."""

from __future__ import annotations

from dataclasses import dataclass

from opwright.model.log_entry import LogEntry


@dataclass(frozen=True, slots=True)
class Completion:
    """What was committed, whether by this very process, and whether in the database. Only filters that name this type see it."""

    entry: LogEntry
    is_local: bool
    is_durable: bool = True


async def terminate(completion: Completion) -> None:
    """The handler of completions: the filters have done everything."""

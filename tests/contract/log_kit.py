"""What the tests of the log say often: an entry, writing it, reading what is new."""

from typing import Any

from opwright.model.ids import new_id
from opwright.model.log_entry import LogEntry
from opwright.store import log as logs
from opwright.store.log import LogEnd
from opwright.store.store import Store


def entry(command: str = "place_order", *, at: int = 1) -> LogEntry:
    """A command that is committed."""
    return LogEntry(new_id(), 77, at, command, '{"customer":1}')


async def write(store: Store, *entries: LogEntry) -> None:
    """Commit entries, each in a transaction of its own."""
    for one in entries:
        await store.engine.play(logs.append(one))


async def put(connection: Any, store: Store, one: LogEntry) -> None:
    """Write an entry on a connection to PostgreSQL, in the transaction that is open there."""
    (step,) = logs.append(one)
    part = store.engine.statements[step.name].parts[0]
    await connection.fetch(part.sql, *part.arguments(store.engine.values(step.values)))


async def read(store: Store, after: LogEnd, limit: int = 1000) -> tuple[list[LogEntry], LogEnd]:
    """What is new, window by window, and where the next reading begins."""
    until, position = await store.log.end(), 0
    found: list[LogEntry] = []
    while True:
        window = await store.log.between(after, until, position, limit)
        found += window.entries
        if window.position is None:
            return found, until
        position = window.position

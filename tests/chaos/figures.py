"""The figures of a run, for people."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import asyncpg
from rich.console import Console
from rich.table import Table

from tests.chaos.journal import COMMITTED, INTENDS, ROLLED_BACK
from tests.chaos.world import World
from tests.kit.events import Event

SUMS = {
    "attempts": "select coalesce(sum(attempt), 0) from opwright.outcomes",
    "errors that were tried again": "select count(*) from opwright.operationstatus where kind = 1",
    "deaths that were charged": "select count(*) from opwright.operationstatus where kind = 2",
    "hosts that were taken over": "select count(*) from opwright.hosts where state = 2",
    "transactions refused as stale": "select count(*) from refusals",
}
ENDS = {1: "succeeded", 2: "failed", 3: "cancelled"}


async def figures(url: str, folder: Path, events: list[Event], faults: Mapping[str, int], seconds: float) -> dict[str, object]:
    """Everything that was counted, in the order in which it is shown."""
    world = await World.found(url, folder, "nobody=")
    connection = await asyncpg.connect(url)
    try:
        sums = {name: await connection.fetchval(sql) for name, sql in SUMS.items()}
    finally:
        await connection.close()
    return {**_submits(world), **_ends(world), **sums, **_told(events), **faults, **_pace(world, seconds)}


def _submits(world: World) -> dict[str, object]:
    submitted = sum(len(entry.operations) for entry in world.journal)
    settled = len(world.unknown & world.written)
    return {
        "operations submitted": submitted,
        "transactions": len(world.events[INTENDS]),
        "… committed": len(world.events[COMMITTED]),
        "… rolled back": len(world.events[ROLLED_BACK]),
        "… without an answer to COMMIT": len(world.unknown),
        "… of these were committed": settled,
        "… of these were not": len(world.unknown) - settled,
        "operations rolled back": len(world.undone),
        "children and hand-backs": len(world.children) + len(world.returns),
    }


def _ends(world: World) -> dict[str, object]:
    ends = Counter(ENDS[outcome.status] for outcome in world.outcomes.values())
    return {"operations ended": len(world.outcomes), **{f"… {word}": ends[word] for word in ENDS.values()}}


def _told(events: list[Event]) -> dict[str, object]:
    counts = Counter(event.name for event in events)
    return {
        "operations taken over": sum(len(event.fields["operations"]) for event in events if event.name == "takeover.released"),
        "hosts that came back and had lost their claims": counts["host.lost"],
        "late reports refused": counts["update.stale"]
        + sum(len(event.fields["operations"]) for event in events if event.name == "settle.stale"),
        "claims without an answer, handed back": sum(
            len(event.fields["operations"]) for event in events if event.name == "claim.reconciled"
        ),
        "workers that died": counts["worker.died"],
    }


def _pace(world: World, seconds: float) -> dict[str, object]:
    return {"seconds": f"{seconds:.0f}", "operations per second": f"{len(world.outcomes) / seconds:.0f}"}


def show(console: Console, counted: Mapping[str, object]) -> None:
    """Print the table."""
    table = Table("figure", "count", show_edge=False)
    table.columns[1].justify = "right"
    for name, value in counted.items():
        table.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    console.print(table)

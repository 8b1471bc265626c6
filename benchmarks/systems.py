"""The systems side by side: which figures belong to which, and each as a multiple of Opwright's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.figures import WAIT, Figure
from benchmarks.peers.table import PEERS

Kind = Literal["opwright", "peer", "floor"]

COLUMNS = {
    "drain": "drain /s",
    "bulk": "bulk submit /s",
    "single": "single submit /s",
    "pickup": "pick-up p50 / p95 / p99 ms",
    "cpu": "idle %",
    "transactions": "idle tx /s",
}


@dataclass(frozen=True, slots=True)
class System:
    """One row: a title, and the names of its figures by column."""

    title: str
    kind: Kind
    names: Mapping[str, str]

    def figure(self, column: str, figures: Mapping[str, Figure]) -> Figure | None:
        """What was measured of it for this column."""
        return figures.get(self.names.get(column, ""))


OWN = (
    System("Opwright, one process", "opwright", {
        "drain": "drain.postgresql.inline", "bulk": "submit.bulk.postgresql", "single": "submit.single.postgresql",
        "pickup": "pickup.postgresql.apart"}),
    System("Opwright, one process, 1,000 slots", "opwright", {"drain": "drain.postgresql.inline_tuned"}),
    System("Opwright, worker processes", "opwright", {
        "drain": "drain.postgresql.workers", "pickup": "pickup.postgresql.workers", "cpu": "idle.postgresql.cpu",
        "transactions": "idle.postgresql.transactions"}),
    System("Opwright, worker processes, 1,000 slots", "opwright", {"drain": "drain.postgresql.workers_tuned"}),
    System("Opwright on SQLite", "opwright", {
        "drain": "drain.sqlite.inline", "bulk": "submit.bulk.sqlite", "single": "submit.single.sqlite",
        "pickup": "pickup.sqlite.apart", "cpu": "idle.sqlite.cpu"}),
)  # fmt: skip
FLOORS = (
    System("floor: PostgreSQL driver", "floor", {
        "drain": "floor.postgresql.queue", "bulk": "floor.postgresql.copy", "single": "floor.postgresql.insert.1",
        "pickup": "floor.postgresql.pickup"}),
    System("floor: pgbench, one table", "floor", {"drain": "floor.postgresql.pgbench"}),
    System("floor: NOTIFY", "floor", {"pickup": "floor.postgresql.notify"}),
    System("floor: SQLite driver, one table", "floor", {
        "drain": "floor.sqlite.kept", "bulk": "floor.sqlite.bulk", "single": "floor.sqlite.insert",
        "pickup": "floor.sqlite.pickup"}),
)  # fmt: skip
OTHERS = tuple(
    System(f"{peer.title} {peer.version}", "peer", {
        "drain": f"drain.{peer.name}", "bulk": f"submit.bulk.{peer.name}", "single": f"submit.single.{peer.name}",
        "pickup": f"pickup.{peer.name}", "cpu": f"idle.{peer.name}.cpu",
        "transactions": f"idle.{peer.name}.transactions"})
    for peer in PEERS
)  # fmt: skip
SYSTEMS = (*OWN, *OTHERS, *FLOORS)


def compared(figures: Mapping[str, Figure]) -> Iterator[tuple[System, list[str]]]:
    """The systems of which anything was measured, and their cells, in the order of COLUMNS."""
    for system in SYSTEMS:
        cells = [_cell(system, column, figures) for column in COLUMNS]
        if any(cells):
            yield system, cells


def _cell(system: System, column: str, figures: Mapping[str, Figure]) -> str:
    figure = system.figure(column, figures)
    if figure is None:
        return ""
    own = next(filter(None, (one.figure(column, figures) for one in OWN)), None)
    share = f" ({figure.value / own.value:.2f})" if own and own.value and own is not figure and column not in _IDLE else ""
    return _text(figure) + share


_IDLE = ("cpu", "transactions")  # close to nothing, so a ratio says nothing


def _text(figure: Figure) -> str:
    if figure.unit == WAIT:
        return f"{figure.value:.2f} / {figure.parts['p95']:.2f} / {figure.parts['p99']:.2f}"
    return f"{figure.value:,.0f}" if figure.value >= 100 else f"{figure.value:.2f}"

"""The run as tables for people, as a picture, and as JSON for comparison with another run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.figures import WAIT, Figure
from benchmarks.goals import Goal
from benchmarks.peers.table import PEERS
from benchmarks.systems import COLUMNS, compared

SIDE_BY_SIDE = "In brackets: as a multiple of the first Opwright that has a figure in the column."


def show(console: Console, figures: Mapping[str, Figure]) -> None:
    """Print the tables."""
    table = Table("measure", "figure", "floor", "ratio", "goal", caption="waits: p50 / p95 / p99; rates: median (least to most)")
    for column in table.columns[1:4]:
        column.justify = "right"
    for figure in figures.values():
        floor, ratio = figures.get(figure.floor or ""), figure.ratio(figures)
        compared_with = (_short(floor) if floor else "", "" if ratio is None else f"{ratio:.2f}")
        table.add_row(
            figure.name, _text(figure), *compared_with, "\n".join(judged(goal, figure, figures) for goal in figure.goals)
        )
    console.print(table)
    beside = Table("system", *COLUMNS.values(), caption=SIDE_BY_SIDE)
    for system, cells in compared(figures):
        beside.add_row(system.title, *cells)
    console.print(beside)


def judged(goal: Goal, figure: Figure, figures: Mapping[str, Figure]) -> str:
    """The goal, and what became of it."""
    verdict = goal.judge(figure, figures)
    if verdict is None:
        return f"{goal}: not measured"
    return f"{goal}: {verdict.reached:.2f}, {'met' if verdict.met else 'missed'}"


def write(path: Path, figures: Mapping[str, Figure], around: Mapping[str, Any]) -> None:
    """Keep the run as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / ".gitignore").write_text("*\n")  # a run belongs to the machine it was made on
    rows = [_row(one, figures) for one in figures.values()]
    peers = [
        {"name": one.name, "requirements": one.requirements, "settings": dict(one.settings), "page": one.page} for one in PEERS
    ]
    path.write_text(json.dumps({**around, "figures": rows, "peers": peers}, indent=1) + "\n")


def markdown(figures: Mapping[str, Figure]) -> str:
    """The systems side by side, as the documentation quotes them."""
    lines = [_line(["system", *COLUMNS.values()]), _line(["---", *["---:"] * len(COLUMNS)])]
    lines += [_line([system.title, *cells]) for system, cells in compared(figures)]
    return "\n".join(lines) + "\n"


def settings() -> str:
    """What each peer is and how it is set, as the documentation quotes it."""
    lines = [_line(["system", "version", "settings", "what is unequal"]), _line(["---"] * 4)]
    for peer in PEERS:
        told = ", ".join(f"{name} {value}" for name, value in peer.settings.items())
        lines.append(_line([f"[{peer.title}]({peer.page})", peer.version, f"`{told}`", peer.unequal]))
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def _row(figure: Figure, figures: Mapping[str, Figure]) -> dict[str, Any]:
    goals = [{"goal": str(goal), "verdict": judged(goal, figure, figures)} for goal in figure.goals]
    measured = {"name": figure.name, "value": figure.value, "unit": figure.unit, **figure.parts}
    return {**measured, "floor": figure.floor, "ratio": figure.ratio(figures), "goals": goals}


def _text(figure: Figure) -> str:
    parts = figure.parts
    if figure.unit == WAIT:
        return f"{figure.value:.2f} / {parts['p95']:.2f} / {parts['p99']:.2f} ms"
    if parts["least"] < parts["most"]:
        return f"{figure.value:,.0f} ({parts['least']:,.0f} to {parts['most']:,.0f}) {figure.unit}"
    return _short(figure)


def _short(figure: Figure) -> str:
    digits = ",.0f" if figure.value >= 100 else ".2f"
    return f"{figure.value:{digits}} {figure.unit}"

"""The run as a table for people and as JSON for comparison."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.figures import WAIT, Figure


def show(console: Console, figures: Mapping[str, Figure]) -> None:
    """Print the table."""
    table = Table("measure", "figure", "floor", "ratio", "goal", caption="waits: p50 / p95 / p99; rates: median (least to most)")
    for column in table.columns[1:4]:
        column.justify = "right"
    for figure in figures.values():
        floor, ratio = figures.get(figure.floor or ""), figure.ratio(figures)
        cells = (figure.name, _text(figure), _short(floor) if floor else "", "" if ratio is None else f"{ratio:.2f}")
        table.add_row(*cells, figure.goal or "")
    console.print(table)


def write(folder: Path, figures: Mapping[str, Figure], around: Mapping[str, Any]) -> Path:
    """Write the run into a file of its own; which one."""
    rows = [
        {"name": one.name, "value": one.value, "unit": one.unit, **one.parts,
         "floor": one.floor, "ratio": one.ratio(figures), "goal": one.goal}
        for one in figures.values()
    ]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n")  # a run belongs to the machine it was made on
    stamp = str(around["date"]).replace(":", "").replace("-", "")[:15]
    path = folder / f"{stamp}.json"
    path.write_text(json.dumps({**around, "figures": rows}, indent=1) + "\n")
    return path


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

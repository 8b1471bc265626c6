"""The run as a table for people and as JSON for comparison."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure

FOLDER = Path("build/bench")


def ratio(figure: Figure, figures: Mapping[str, Figure]) -> float | None:
    """The figure as a multiple of its floor."""
    floor = figures.get(figure.floor or "")
    return figure.value / floor.value if floor else None


def show(console: Console, figures: Mapping[str, Figure]) -> None:
    """Print the table."""
    table = Table("measure", "figure", "floor", "ratio", "goal", caption="wait: p50 / p95 / p99; rate: median (least to most)")
    for column in table.columns[1:4]:
        column.justify = "right"
    for figure in figures.values():
        floor, times = figures.get(figure.floor or ""), ratio(figure, figures)
        table.add_row(
            figure.name, text(figure), text(floor) if floor else "", "" if times is None else f"{times:.2f}", figure.goal or ""
        )
    console.print(table)


def text(figure: Figure) -> str:
    """The figure with its unit and what belongs to it."""
    parts = figure.parts
    if figure.unit == "ms":
        return f"{figure.value:.2f} / {parts['p95']:.2f} / {parts['p99']:.2f} ms"
    if "least" in parts and parts["least"] < parts["most"]:
        return f"{figure.value:,.0f} ({parts['least']:,.0f} to {parts['most']:,.0f}) /s"
    separator = "" if figure.unit.startswith("/") else " "
    return f"{figure.value:{',.0f' if figure.value >= 100 else '.2f'}}{separator}{figure.unit}"


def write(figures: Mapping[str, Figure], circumstances: Mapping[str, Any], names: Sequence[str]) -> Path:
    """Write the run; where to."""
    rows = [
        {"name": one.name, "value": one.value, "unit": one.unit, **one.parts,
         "floor": one.floor, "ratio": ratio(one, figures), "goal": one.goal}
        for one in figures.values()
    ]  # fmt: skip
    FOLDER.mkdir(parents=True, exist_ok=True)
    stamp = str(circumstances["date"]).replace(":", "").replace("-", "")[:15]
    path = FOLDER / f"{stamp}.json"
    path.write_text(json.dumps({"only": list(names), **circumstances, "figures": rows}, indent=1) + "\n")
    return path

"""`python -m benchmarks`: measure, print the table, keep the run as JSON."""

import gc
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from benchmarks import floors, measures  # importing registers
from benchmarks.bench import Bench
from benchmarks.circumstances import circumstances, postgresql_settings
from benchmarks.figures import Figure, Measure, chosen, known
from benchmarks.loop import run
from benchmarks.report import show, write

__all__ = ["floors", "measures"]

WIDTH = 130  # a table that wraps cannot be compared with another one


@click.command()
@click.option("--only", "names", multiple=True, metavar="NAME", help="A measure, or the beginning of some: drain, drain.sqlite.")
@click.option("--quick", is_flag=True, help="A small part of everything, to see that it works.")
@click.option("--rounds", default=3, show_default=True, help="How often everything is measured; medians count.")
@click.option("--into", type=click.Path(path_type=Path), default="build/bench", show_default=True, help="Where runs are kept.")
@click.option("--list", "listing", is_flag=True, help="Name what can be measured.")
def main(names: tuple[str, ...], rounds: int, into: Path, *, quick: bool, listing: bool) -> None:
    """Measure Opwright and, in the same run, what the bare drivers reach."""
    if listing:
        click.echo("\n".join(known()))
        return
    console = Console(width=WIDTH)
    with Bench(quick=quick, rounds=rounds) as bench:
        figures, around = _measured(bench, _wanted(names), console)
    show(console, figures)
    path = write(into, figures, around | {"only": names})
    again = " ".join(["python -m benchmarks", *(f"--only {name}" for name in names), *(["--quick"] if quick else [])])
    console.print(f"{around['seconds']} s on {around['machine']['cores']} cores; written to {path}; again: {again}")


def _wanted(names: Sequence[str]) -> list[Measure]:
    try:
        return chosen(names)
    except KeyError as unknown:
        raise click.UsageError(f"nothing is called {unknown}; see --list") from None


def _measured(bench: Bench, wanted: list[Measure], console: Console) -> tuple[dict[str, Figure], dict[str, Any]]:
    """The figures by name, and under which circumstances they were taken."""
    around, figures, started = circumstances(bench), dict[str, Figure](), time.monotonic()
    for number in range(bench.rounds):  # whatever disturbs the machine for a while disturbs figures and floors alike
        for one in wanted:
            if number == 0 or not one.once:
                with console.status(f"round {number + 1} of {bench.rounds}: {one.yields[0]}"):
                    figures |= {figure.name: figure.joined(figures.get(figure.name)) for figure in run(one.run(bench))}
                gc.collect()  # nothing of it burdens the next
    if bench.used_postgresql:
        around["postgresql"] = run(postgresql_settings(bench))
    return figures, around | {"seconds": round(time.monotonic() - started)}


if __name__ == "__main__":
    main()

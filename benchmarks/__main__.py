"""`python -m benchmarks`: measure, print the table, keep the run as JSON."""

import gc
import time

import click
from rich.console import Console

from benchmarks import floors, measures  # importing registers
from benchmarks.bench import Bench
from benchmarks.circumstances import circumstances, postgresql_settings
from benchmarks.figures import Figure, chosen, known
from benchmarks.loop import run
from benchmarks.report import show, write

__all__ = ["floors", "measures"]


@click.command()
@click.option("--only", "names", multiple=True, metavar="NAME", help="A measure, or the beginning of some: drain, drain.sqlite.")
@click.option("--quick", is_flag=True, help="A small part of everything, to see that it works.")
@click.option("--repeats", default=3, show_default=True, help="How often a rate is measured; its median counts.")
@click.option("--list", "listing", is_flag=True, help="Name what can be measured.")
def main(names: tuple[str, ...], repeats: int, *, quick: bool, listing: bool) -> None:
    """Measure Opwright and, in the same run, what the bare drivers reach."""
    if listing:
        click.echo("\n".join(known()))
        return
    try:
        wanted = chosen(names)
    except KeyError as unknown:
        raise click.UsageError(f"nothing is called {unknown}; see --list") from None
    console, figures = Console(), dict[str, Figure]()
    with Bench(quick=quick, repeats=repeats) as bench:
        around = circumstances(bench)
        started = time.monotonic()
        for one in wanted:
            with console.status(one.yields[0]):
                figures |= {figure.name: figure for figure in run(one.run(bench))}
            gc.collect()  # nothing of it burdens the next
        if any("postgresql" in name or "memory" in name for name in figures):
            around["postgresql"] = run(postgresql_settings(bench))
    show(console, figures)
    path = write(figures, around | {"seconds": round(time.monotonic() - started)}, names)
    again = " ".join(["python -m benchmarks", *(f"--only {name}" for name in names), *(["--quick"] if quick else [])])
    console.print(
        f"{round(time.monotonic() - started)} s on {around['machine']['cores']} cores; written to {path}; again: {again}"
    )


if __name__ == "__main__":
    main()

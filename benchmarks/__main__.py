"""`python -m benchmarks`: measure, print the tables, keep the run as JSON and as a picture."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from benchmarks import floors, measures  # importing registers
from benchmarks.bench import Bench
from benchmarks.figures import Measure, chosen, known
from benchmarks.peers import measures as peers_measures
from benchmarks.peers.table import BY_NAME
from benchmarks.picture import draw
from benchmarks.report import markdown, show
from benchmarks.session import Session

__all__ = ["floors", "measures", "peers_measures"]

WIDTH = 160  # a table that wraps cannot be compared with another one
BROKEN_OFF = 130  # what shells say of a program that Ctrl-C ended


@click.command()
@click.option("--only", "names", multiple=True, metavar="NAME", help="A measure, or the beginning of some: drain, drain.sqlite.")
@click.option("--peer", "peers", multiple=True, type=click.Choice(list(BY_NAME)), help="Of the other systems only this one.")
@click.option("--no-peers", is_flag=True, help="Opwright and the bare drivers alone: nothing is installed.")
@click.option("--quick", is_flag=True, help="A small part of everything, to see that it works.")
@click.option("--rounds", default=3, show_default=True, help="How often everything is measured; medians count.")
@click.option("--into", type=click.Path(path_type=Path), default="build/bench", show_default=True, help="Where runs are kept.")
@click.option("--list", "listing", is_flag=True, help="Name what can be measured.")
def main(
    names: tuple[str, ...], peers: tuple[str, ...], rounds: int, into: Path, *, no_peers: bool, quick: bool, listing: bool
) -> None:
    """Measure Opwright and, in the same run, other systems and what the bare drivers reach."""
    if listing:
        click.echo("\n".join(known()))
        return
    console = Console(width=WIDTH)
    wanted = _wanted(names, () if no_peers else peers or tuple(BY_NAME))
    with Bench(quick=quick, rounds=rounds) as bench:
        session = Session.begin(bench, console, into, {"only": names, "peers": peers, "no_peers": no_peers})
        broken_off = _broken_off(session, wanted)
    _report(session)
    sys.exit(BROKEN_OFF if broken_off else session.failed)


def _wanted(names: Sequence[str], peers: Sequence[str]) -> list[Measure]:
    try:
        return chosen(names, peers)
    except KeyError as unknown:
        raise click.UsageError(f"nothing is called {unknown}; see --list") from None


def _broken_off(session: Session, wanted: list[Measure]) -> bool:
    """Measure; whether Ctrl-C came in between."""
    try:
        session.measure(wanted)
    except KeyboardInterrupt:
        return True
    return False


def _report(session: Session) -> None:
    """Print what there is, and draw it beside the JSON."""
    around, path, console = session.around, session.path, session.console
    session.write()
    show(console, session.figures)
    for name, why in session.left_out.items():
        console.print(f"left out: {name}: {why}", markup=False, highlight=False)
    path.with_suffix(".md").write_text(markdown(session.figures))
    made = f"{around['date']}, {around['machine']['cores']} × {around['machine']['processor']}, rounds: {around['rounds']}"
    draw(path.with_suffix(".png"), session.figures, f"{made}{', quick' if around['quick'] else ''}; waits: p50 / p99")
    console.print(f"written to {path} and, as a table and a picture, beside it")


if __name__ == "__main__":
    main()

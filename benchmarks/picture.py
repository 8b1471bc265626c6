"""The systems side by side as a picture: a panel for each kind of work, a bar for each system, logarithmic."""

from collections.abc import Mapping, Sequence
from math import floor, log10
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Patch

from benchmarks.figures import WAIT, Figure
from benchmarks.systems import COLUMNS, SYSTEMS, System

PANELS = ("drain", "bulk", "single", "pickup")
COLOURS = {"opwright": "#1b6e8c", "peer": "#b9a37e", "floor": "#c9ccd1"}
LEGEND = {"opwright": "Opwright", "peer": "other systems", "floor": "bare driver"}


def draw(path: Path, figures: Mapping[str, Figure], caption: str) -> None:
    """Write the picture; its format is that of the path's suffix. Draws nothing where there is nothing to compare."""
    systems = [one for one in SYSTEMS if any(one.figure(panel, figures) for panel in PANELS)]
    if not systems:
        return
    canvas = Canvas(figsize=(16, 1.6 + 0.42 * len(systems)), layout="constrained")
    axes: Sequence[Axes] = canvas.subplots(1, len(PANELS), sharey=True)
    for panel, ax in zip(PANELS, axes, strict=True):
        _panel(ax, panel, systems, figures)
    axes[0].set_yticks(range(len(systems)), [one.title for one in systems])
    axes[0].invert_yaxis()
    canvas.legend(handles=[Patch(color=COLOURS[kind], label=label) for kind, label in LEGEND.items()],
                  loc="outside upper left", ncols=len(LEGEND), frameon=False)  # fmt: skip
    canvas.supxlabel(caption, fontsize=8, color="#666666")
    canvas.savefig(path, dpi=130)


def _panel(ax: Axes, panel: str, systems: Sequence[System], figures: Mapping[str, Figure]) -> None:
    ax.set_xscale("log")
    ax.set_title(f"{COLUMNS[panel]}\n{'less' if panel == 'pickup' else 'more'} is better", fontsize=10)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color="#e6e6e6", linewidth=0.8)
    ax.set_axisbelow(True)
    shown = {place: figure for place, system in enumerate(systems) if (figure := system.figure(panel, figures))}
    for place, figure in shown.items():
        _bar(ax, place, figure, COLOURS[systems[place].kind])
    ax.margins(y=0.01)
    if shown:  # from a power of ten, so that lengths can be compared; to where the longest label ends
        least = min(figure.value for figure in shown.values())
        longest = max(figure.parts["p99"] if figure.unit == WAIT else figure.value for figure in shown.values())
        ax.set_xlim(10 ** floor(log10(least) - 0.01), longest * max(longest / least, 10) ** 0.35)
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")


def _bar(ax: Axes, place: int, figure: Figure, colour: str) -> None:
    ax.barh(place, figure.value, color=colour, height=0.66)
    end, label = figure.value, f"{figure.value:,.0f}"
    if figure.unit == WAIT:
        end, label = figure.parts["p99"], f"{figure.value:.2f} / {figure.parts['p99']:.2f}"
        ax.plot([figure.value, figure.parts["p95"], end], [place] * 3, color="#444444", linewidth=1, marker="|")
    ax.annotate(label, (end, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8)

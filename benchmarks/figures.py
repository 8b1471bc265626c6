"""What a measure yields, and the list of all measures.

A figure says little alone: machines differ. So each names its floor, the same work done by the bare driver in the same run,
and what is compared is the ratio.
"""

from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

from benchmarks.bench import Bench


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. ``parts`` holds what belongs to it, such as percentiles or the repeats."""

    name: str
    value: float
    unit: str
    parts: dict[str, float] = field(default_factory=dict)
    floor: str | None = None
    goal: str | None = None


Run = Callable[[Bench], Coroutine[Any, Any, list[Figure]]]


@dataclass(frozen=True, slots=True)
class Measure:
    """Something to measure, the floors to measure with it, and which figures it yields."""

    run: Run
    yields: tuple[str, ...]
    floors: tuple[str, ...]


_measures: list[Measure] = []


def measure(*yields: str, floors: Sequence[str] = ()) -> Callable[[Run], Run]:
    """Register a measure under the names of its figures."""

    def register(run: Run) -> Run:
        _measures.append(Measure(run, yields, tuple(floors)))
        return run

    return register


def chosen(names: Sequence[str]) -> list[Measure]:
    """The measures whose figures begin with one of the names (all without names), floors first. Raises KeyError."""
    wanted = [one for one in _measures if not names or any(_begins(figure, names) for figure in one.yields)]
    for name in names:
        if not any(_begins(figure, [name]) for one in _measures for figure in one.yields):
            raise KeyError(name)
    floors = {floor for one in wanted for floor in one.floors}
    needed = [one for one in _measures if one not in wanted and floors.intersection(one.yields)]
    return sorted(needed + wanted, key=lambda one: not one.yields[0].startswith("floor."))


def known() -> Iterator[str]:
    """The name of every figure."""
    return (name for one in _measures for name in one.yields)


def rate(name: str, rates: Sequence[float], *, floor: str | None = None, goal: str | None = None) -> Figure:
    """The median of repeated rates, with the slowest and the fastest."""
    return Figure(name, median(rates), "/s", {"least": min(rates), "most": max(rates)}, floor, goal)


def latency(name: str, seconds: Sequence[float], *, floor: str | None = None, goal: str | None = None) -> Figure:
    """The median of waits in milliseconds, with what the slowest had to bear."""
    cuts = quantiles(seconds, n=100, method="inclusive")
    parts = {"p95": cuts[94] * 1e3, "p99": cuts[98] * 1e3, "samples": float(len(seconds))}
    return Figure(name, median(seconds) * 1e3, "ms", parts, floor, goal)


def _begins(figure: str, names: Sequence[str]) -> bool:
    return any(figure == name or figure.startswith(f"{name}.") for name in names)

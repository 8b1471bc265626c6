"""What a measure yields, and the list of all measures.

A figure says little alone: machines differ. So each names its floor, the same work done by the bare driver in the same run,
and what is compared is the ratio. Goals are multiples of floors and of what other systems reach in the same run.
"""

from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median, quantiles
from typing import Any, Self

from benchmarks.bench import Bench
from benchmarks.goals import Goal, Part

RATE, WAIT = "/s", "ms"


@dataclass(frozen=True, slots=True)
class Figure:
    """Something measured several times: rates, waits, or plain sizes. Its value is the median.

    ``rounds``: the values of each, once there are several.
    """

    name: str
    values: tuple[float, ...]
    unit: str
    floor: str | None = None
    goals: tuple[Goal, ...] = ()
    rounds: tuple[tuple[float, ...], ...] = ()

    @property
    def value(self) -> float:
        """The number to compare."""
        return median(self.values)

    @property
    def parts(self) -> dict[str, float]:
        """What the median hides. Of p95 and p99 the median of the rounds: in all samples together the worst round decides."""
        if self.unit != WAIT:
            return {"least": min(self.values), "most": max(self.values)}
        cuts = [_percentiles(one) for one in self.rounds or (self.values,)]
        p95, p99 = (median(cut[place] for cut in cuts) for place in (94, 98))
        return {"p95": p95, "p99": p99, "samples": float(len(self.values))}

    def part(self, name: Part) -> float:
        """What a goal is about."""
        return self.value if name == "value" else self.parts[name]

    def ratio(self, figures: Mapping[str, Self]) -> float | None:
        """The figure as a multiple of its floor."""
        floor = figures.get(self.floor or "")
        return self.value / floor.value if floor else None

    def joined(self, earlier: Self | None) -> Self:
        """With the values of an earlier round."""
        if earlier is None:
            return self
        return replace(self, values=earlier.values + self.values, rounds=(*(earlier.rounds or (earlier.values,)), self.values))


def _percentiles(values: tuple[float, ...]) -> list[float]:
    """Of a single value, which is what a quiet machine has of pauses, each is that value; before Python 3.13 that is refused."""
    return quantiles(values if len(values) > 1 else values * 2, n=100, method="inclusive")


def rate(name: str, rate: float, *, floor: str | None = None, goals: tuple[Goal, ...] = ()) -> Figure:
    """So many in a second."""
    return Figure(name, (rate,), RATE, floor, goals)


def waits(name: str, seconds: Sequence[float], *, floor: str | None = None, goals: tuple[Goal, ...] = ()) -> Figure:
    """Waits in milliseconds."""
    return Figure(name, tuple(one * 1e3 for one in seconds), WAIT, floor, goals)


Run = Callable[[Bench], Coroutine[Any, Any, list[Figure]]]


@dataclass(frozen=True, slots=True)
class Measure:
    """Something to measure, which figures it yields, the floors to measure just before it, and of which peer it is."""

    run: Run
    yields: tuple[str, ...]
    floors: tuple[str, ...]
    once: bool
    peer: str | None


_measures: list[Measure] = []


def measure(*yields: str, floors: Sequence[str] = (), once: bool = False, peer: str | None = None) -> Callable[[Run], Run]:
    """Register a measure under the names of its figures. ``once``: in the first round only, because it takes long."""

    def register(run: Run) -> Run:
        _measures.append(Measure(run, yields, tuple(floors), once, peer))
        return run

    return register


def chosen(names: Sequence[str], peers: Collection[str]) -> list[Measure]:
    """The measures whose figures begin with one of the names (all without names), each behind its floors.

    Of the peers only those named. Raises KeyError with a name that nothing has.
    """
    for name in names:
        if not any(_begins(figure, [name]) for figure in known()):
            raise KeyError(name)
    wanted = [one for one in _measures if not names or any(_begins(figure, names) for figure in one.yields)]
    wanted = [one for one in wanted if one.peer is None or one.peer in peers]
    wanted.sort(key=lambda one: one.yields[0].startswith("floor."))  # a floor stands before the first that needs it
    by_name = {name: one for one in _measures for name in one.yields}
    ordered = [step for one in wanted for step in (*(by_name[floor] for floor in one.floors), one)]
    return list(dict.fromkeys(ordered))


def known() -> Iterator[str]:
    """The name of every figure."""
    return (name for one in _measures for name in one.yields)


def _begins(figure: str, names: Sequence[str]) -> bool:
    return any(figure == name or figure.startswith(f"{name}.") for name in names)

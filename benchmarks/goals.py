"""What a figure should reach: a bound of its own, or a multiple of what others reach in the same run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Part = Literal["value", "p99"]


class Judged(Protocol):
    """A figure, as far as a goal sees it."""

    def part(self, name: Part) -> float: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was reached, in the unit of the goal's bound, and whether that is enough."""

    reached: float
    met: bool


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound for one part of a figure. With ``of`` it counts in multiples of the best among the figures of these names."""

    bound: float
    of: tuple[str, ...] = ()
    part: Part = "value"
    at_most: bool = False
    best: str = ""

    def __str__(self) -> str:
        part = "" if self.part == "value" else f"{self.part} "
        of = f" × {self.best or ' or '.join(self.of)}" if self.of else ""
        return f"{part}{'≤' if self.at_most else '≥'} {self.bound:g}{of}"

    def judge(self, figure: Judged, figures: Mapping[str, Judged]) -> Verdict | None:
        """Whether the figure reaches the goal; ``None`` where nothing was measured that it could be compared with."""
        others = [figures[name].part(self.part) for name in self.of if name in figures]
        if self.of and not others:
            return None
        unit = (min if self.at_most else max)(others) if others else 1.0
        reached = figure.part(self.part) / unit
        return Verdict(reached, reached <= self.bound if self.at_most else reached >= self.bound)


def at_least(bound: float, *of: str) -> Goal:
    """No less than the bound, or than so many times the best of these figures."""
    return Goal(bound, of)


def at_most(bound: float, *of: str, part: Part = "value", best: str = "") -> Goal:
    """No more than the bound, or than so many times the least of these figures, which ``best`` calls by one name."""
    return Goal(bound, of, part, at_most=True, best=best)

"""One run: what is measured in which round, what came of it, and what had to be left out."""

import asyncio
import gc
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.bench import Bench
from benchmarks.circumstances import circumstances, postgresql_settings
from benchmarks.figures import Figure, Measure
from benchmarks.loop import run
from benchmarks.peers.environments import Unavailable
from benchmarks.report import write

LIMIT = 900  # seconds for one measure, the making of a peer's environment included


@dataclass(slots=True)
class Session:
    """Measures, and writes down what there is after each measure: a run that is broken off keeps what it had."""

    bench: Bench
    console: Console
    around: dict[str, Any]
    path: Path
    figures: dict[str, Figure] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    failed: bool = False
    _started: float = field(default_factory=time.monotonic)

    @classmethod
    def begin(cls, bench: Bench, console: Console, folder: Path, asked: dict[str, Any]) -> "Session":
        """Note the circumstances first: the load that was there before."""
        around = circumstances(bench) | asked
        stamp = str(around["date"]).replace(":", "").replace("-", "")[:15]
        return cls(bench, console, around, folder / f"{stamp}.json")

    def measure(self, wanted: Sequence[Measure]) -> None:
        """Everything in turn, again in each round: what disturbs the machine for a while disturbs all alike."""
        steps = [(number, one) for number in range(self.bench.rounds) for one in wanted if number == 0 or not one.once]
        for place, (number, one) in enumerate(steps, 1):
            if self._left_out(one):
                continue
            where = f"{place}/{len(steps)}, round {number + 1}"
            with self.console.status(f"{where}: {one.yields[0]}"):
                took = self._measured(one)
            self.console.print(f"[dim]{where}, {took:.0f} s:[/] {self._told(one)}", highlight=False)
            self.write()
            gc.collect()  # nothing of it burdens the next
        if self.bench.used_postgresql:
            self.around["postgresql"] = run(postgresql_settings(self.bench))
            self.write()

    def write(self) -> None:
        """Keep what there is."""
        seconds = round(time.monotonic() - self._started)
        write(self.path, self.figures, self.around | {"seconds": seconds, "left_out": self.left_out})

    def _measured(self, one: Measure) -> float:
        started = time.monotonic()
        try:
            for figure in run(asyncio.wait_for(one.run(self.bench), LIMIT)):
                self.figures[figure.name] = figure.joined(self.figures.get(figure.name))
        except Unavailable as why:
            self.left_out[one.peer or one.yields[0]] = str(why)
        except TimeoutError as late:
            self._failed(one, str(late) or f"not over after {LIMIT} s")
        except Exception as error:  # noqa: BLE001 - one that fails must not end a run of half an hour
            self._failed(one, f"{type(error).__name__}: {error}")
        return time.monotonic() - started

    def _failed(self, one: Measure, why: str) -> None:
        self.left_out[one.yields[0]] = why
        self.failed = self.failed or one.peer is None

    def _left_out(self, one: Measure) -> bool:
        return one.yields[0] in self.left_out or one.peer in self.left_out

    def _told(self, one: Measure) -> str:
        return "; ".join(self._tell(one))

    def _tell(self, one: Measure) -> Iterator[str]:
        if self._left_out(one):
            yield f"{one.yields[0]} left out: {self.left_out.get(one.yields[0]) or self.left_out[one.peer or '']}"
            return
        for name in one.yields:
            if figure := self.figures.get(name):
                yield f"{name} {figure.values[-1]:,.2f} {figure.unit}"

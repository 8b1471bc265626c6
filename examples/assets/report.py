"""What became of the operations, and how it is shown."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:  # it makes the application, which needs the database's address first
    from examples.assets.app import Rendition


class Report:
    """Counts what ends, and shows it: a bar while there is work, tables at the end."""

    def __init__(self, console: Console, widths: Sequence[int], operations: int) -> None:
        self.renditions: dict[int, list[Rendition]] = {width: [] for width in widths}
        self.failures: dict[tuple[str, str], list[int]] = defaultdict(list)  # photograph and error: widths
        self.progress = Progress(
            TextColumn("Rendering"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("[green]{task.fields[done]} done[/] [red]{task.fields[failed]} failed[/]"),
            _Rate(),
            TimeElapsedColumn(),
            console=console,
            expand=True,
            disable=not console.is_terminal,  # a pipe or a log gets the result alone
        )
        self.crew: dict[int | None, int] = {}  # how many operations each worker process has ended
        self._console = console
        self._began = time.monotonic()
        self._task = self.progress.add_task("", total=operations, done=0, failed=0)

    @property
    def done(self) -> int:
        """How many renditions there are."""
        return sum(map(len, self.renditions.values()))

    @property
    def failed(self) -> int:
        """How many operations failed."""
        return sum(map(len, self.failures.values()))

    def add(self, photograph: str, width: int, result: Rendition | str) -> None:
        """An operation has ended, in a rendition or an error."""
        if isinstance(result, str):
            self.failures[photograph, result].append(width)
        else:
            self.renditions[width].append(result)
        self.progress.update(self._task, advance=1, done=self.done, failed=self.failed)

    @property
    def ended(self) -> int:
        """How many operations have ended, in whichever way."""
        return self.done + self.failed

    def show(self, note: str) -> None:
        """The tables, and under the failures a note about them."""
        print_, wall = self._console.print, time.monotonic() - self._began
        if self._console.is_terminal:
            print_()  # below the bar
        print_(self._by_width())
        if self.failures:
            print_()
            print_(self._failures())
            if note:
                print_(f"  {note}")
        print_()
        work = sum(rendition.seconds for group in self.renditions.values() for rendition in group)
        print_(f"{self.done} renditions in {wall:.1f} s: {self.done / wall:.0f} a second, {work:.1f} s of work done side by side")
        print_("Workers   " + (", ".join(f"{pid} ended {count}" for pid, count in self.crew.items()) or "none was ready"))

    def _by_width(self) -> Table:
        table = _table("Width", "Renditions", "Failed", "Size", "Megapixels", "Each", "MP/s")
        failed = Counter(width for widths in self.failures.values() for width in widths)
        for width, group in self.renditions.items():
            table.add_row(str(width), *_cells(group, failed[width]))
        table.add_section()
        table.add_row("all", *_cells([rendition for group in self.renditions.values() for rendition in group], self.failed))
        return table

    def _failures(self) -> Table:
        table = Table("Failed", "Widths", "Error", box=SIMPLE, show_edge=False)
        for (photograph, error), widths in sorted(self.failures.items()):
            which = "all" if len(widths) == len(self.renditions) else ", ".join(map(str, sorted(widths)))
            table.add_row(Text(photograph), which, Text(error, "red"))  # as Text, for brackets in them are no markup
        return table


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE, show_edge=False)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _cells(group: Sequence[Rendition], failed: int) -> Sequence[str]:
    """A row's cells after the first. Times are a worker's own: what it took while the other workers were busy too."""
    seconds = sum(rendition.seconds for rendition in group)
    megapixels = sum(rendition.width * rendition.height for rendition in group) / 1e6
    return (
        str(len(group)),
        str(failed or ""),
        decimal(sum(rendition.bytes for rendition in group)),
        f"{megapixels:.1f}",
        f"{seconds / len(group) * 1000:.0f} ms" if group else "",
        f"{megapixels / seconds:.1f}" if group else "",
    )


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text("" if rate is None else f"{rate:.0f}/s")


def without_password(url: str) -> str:
    """An address as it may be shown."""
    return re.sub(r"(?<=://)([^/@]*?):[^/@]*@", r"\1:***@", url)

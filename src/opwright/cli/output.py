"""What people see: aligned columns that stay readable in a pipe, moments, JSON."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from rich.console import Console
from rich.text import Text

from opwright.admin.words import relative
from opwright.clock import SystemClock, moment
from opwright.model.status import Status

_WIDE = 10_000  # a pipe has no edge; nothing is cut in it
_NARROWEST = 16  # what the last column is left with in any terminal
_GAP = "  "
_BAR = 20
COLOURS = {
    Status.PENDING: "cyan", Status.PROCESSING: "blue", Status.WAIT: "magenta",
    Status.SUCCEEDED: "green", Status.FAILED: "red", Status.CANCELLED: "yellow",
}  # fmt: skip


def console(*, err: bool = False) -> Console:
    """A console on stdout or stderr: as wide as the terminal, without an edge in a pipe; NO_COLOR is respected."""
    stream = sys.stderr if err else sys.stdout
    width = shutil.get_terminal_size().columns if stream.isatty() else _WIDE
    return Console(stderr=err, width=width, highlight=False, markup=False, emoji=False)


def show(*parts: Text | str, err: bool = False) -> None:
    """Print each part on lines of its own."""
    target = console(err=err)
    for part in parts:
        target.print(part, soft_wrap=True)


def columns(rows: Iterable[Sequence[Text | str]], *, indent: int = 0, cut: bool = False, err: bool = False) -> list[Text]:
    """Rows in aligned columns; in the last one, what is too long for the terminal is cut, or wrapped under itself."""
    texts = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    widths = [max(cell.cell_len for cell in column) for column in zip(*(row[:-1] for row in texts), strict=True)]
    room = max(console(err=err).width - indent - sum(width + len(_GAP) for width in widths), _NARROWEST)
    return [_aligned(row, widths, room, indent=indent, cut=cut) for row in texts]


def _aligned(row: list[Text], widths: list[int], room: int, *, indent: int, cut: bool) -> Text:
    line = Text(" " * indent)
    for cell, width in zip(row[:-1], widths, strict=True):
        line.append_text(cell).append(" " * (width - cell.cell_len) + _GAP)
    under, last = Text("\n" + " " * line.cell_len), row[-1]
    if cut:
        last.truncate(room, overflow="ellipsis")
    wrapped = last.wrap(console(), room)
    for part in wrapped:
        part.rstrip()
    line.append_text(under.join(wrapped)).rstrip()
    return line


def indented(text: str, by: int = 2) -> Text:
    """A text of several lines, each moved to the right; a terminal's width is kept."""
    room = max(console().width - by, _NARROWEST)
    lines = [line for whole in text.splitlines() for line in Text(whole or " ").wrap(console(), room)]
    return Text("\n").join(Text(" " * by).append_text(line) for line in lines)


def json_text(value: object) -> str:
    """Indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def headline(error: str | None) -> str:
    """The first line of an operation's error; the rest is a traceback."""
    return (error or "").partition("\n")[0]


def examples(*lines: str) -> str:
    """The examples under a help text; the control character keeps click from joining the lines."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def heading(names: Sequence[str]) -> list[Text | str]:
    """The first row of a table."""
    return [Text(name, style="bold") for name in names]


def now() -> datetime:
    """The time here, beside which moments are shown."""
    return moment(SystemClock().now())


def status_text(status: Status) -> Text:
    """A status in its colour."""
    return Text(status.value, style=COLOURS[status])


def moment_text(at: datetime, now: datetime) -> str:
    """A moment in local time and as seen from now."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} ({relative(at, now)})"


def clock_text(at: datetime) -> str:
    """The time of day of a moment, in local time."""
    local = at.astimezone()
    return f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"


def bar(fraction: float, text: str) -> Text:
    """How far something is, as a bar and in words."""
    full = round(fraction * _BAR)
    sign, rest = ("#", "-") if console().options.ascii_only else ("━", "╌")
    words = f" {fraction:.0%}  {text}".rstrip()
    return Text(sign * full, style="green").append(rest * (_BAR - full), style="dim").append(words, style="default")

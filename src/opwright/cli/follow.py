"""``opwright operations follow``: what happens to an operation, while it happens."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Self

import click
import msgspec
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from opwright.admin.admin import Admin
from opwright.admin.record import masked, plain_operation
from opwright.cli.ending import told
from opwright.cli.output import clock_text, console, examples, indented, show, status_text
from opwright.cli.places import awaited, client_of, json_option, one_target, target_words, url_option
from opwright.model.operation import Operation
from opwright.operations.client import Client
from opwright.operations.handle import Handle, Update


@click.command(
    short_help="Print what happens to an operation until it has ended.",
    epilog=examples("opwright operations follow assets:ops 382431443497251387"),
)
@target_words("[TARGET]")
@click.argument("identifier", type=int, metavar="ID")
@url_option
@json_option
def follow(target: tuple[str, ...], identifier: int, url: str | None, *, as_json: bool) -> int:
    """Follow the operation ID: its log as it is written, with a bar of its progress in a terminal; at last its result.

    Ends as `opwright submit --wait` does: with exit code 1 if the operation FAILED or was CANCELLED. Ctrl-C ends the
    following only. With --json each line is a JSON object, the last one the whole operation.
    """
    client = client_of(one_target(target), url)
    try:
        operation = awaited(_follow(client, identifier, as_json=as_json), client.url)
    except KeyboardInterrupt:
        click.echo(f"operation {identifier} goes on", err=True)
        raise
    return told(operation, msgspec.json.encode(plain_operation(operation)).decode() if as_json else None)


async def _follow(client: Client, identifier: int, *, as_json: bool) -> Operation:
    async with Admin(client):
        handle: Handle[object] = Handle(client, identifier)
        with _Bar() if console().is_terminal and not as_json else nullcontext(None) as progress:
            async for update in handle.follow():
                if as_json:
                    click.echo(msgspec.json.encode(update).decode())
                elif progress is None:
                    show(*_lines(update))
                else:
                    progress.tell(update)
        return masked(await handle.get())


class _Bar(AbstractContextManager["_Bar"]):
    """A bar at the bottom of a terminal, with the log above it. It is there once there is some progress to show."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
            console=console(), transient=True,
        )  # fmt: skip
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def tell(self, update: Update) -> None:
        """Move the bar, or print a line above it."""
        if update.fraction is None:
            for line in _lines(update):
                self._progress.console.print(line, soft_wrap=True)
            return
        if self._task is None:
            self._task = self._progress.add_task("", total=1.0)
        self._progress.update(self._task, completed=update.fraction, description=update.text or "")


def _lines(update: Update) -> list[Text]:
    """The time and what happened; what a text has below its first line stands beneath it."""
    line = Text(f"{clock_text(update.at)}  ")
    if update.text is None:
        return [line.append_text(status_text(update.status))]
    head, _, more = update.text.partition("\n")
    share = "" if update.fraction is None else f"{update.fraction:.0%} "
    return [line.append(f"{share}{head}"), *([indented(more, 6)] if more else [])]

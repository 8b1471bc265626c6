"""Looking once, or again and again with ``--watch``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import click
from rich.live import Live
from rich.text import Text

from opwright.admin.admin import Admin
from opwright.cli.output import console, json_text, show
from opwright.cli.places import awaited
from opwright.operations.client import Client

T = TypeVar("T")
EVERY = 1.0  # seconds between two looks

watch_option = click.option("--watch", is_flag=True, help="In a terminal: look again every second, until Ctrl-C.")


def look(
    client: Client,
    question: Callable[[Admin], Awaitable[T]],
    lines: Callable[[T], Sequence[Text]],
    plain: Callable[[T], object],
    nothing: str,
    *,
    as_json: bool,
    watch: bool,
) -> None:
    """Ask and show: lines, or JSON; ``nothing`` is said on stderr where there are no lines."""
    if watch:
        _watch(client, lambda admin: _drawn(question, lines, nothing, admin), as_json=as_json)
        return
    answer = awaited(_once(client, question), client.url)
    if as_json:
        click.echo(json_text(plain(answer)))
    elif found := lines(answer):
        show(*found)
    else:
        click.echo(nothing, err=True)


async def _once(client: Client, question: Callable[[Admin], Awaitable[T]]) -> T:
    async with Admin(client) as admin:
        return await question(admin)


async def _drawn(
    question: Callable[[Admin], Awaitable[T]], lines: Callable[[T], Sequence[Text]], nothing: str, admin: Admin
) -> Text:
    return Text("\n").join(lines(await question(admin)) or [Text(nothing)])


def _watch(client: Client, draw: Callable[[Admin], Awaitable[Text]], *, as_json: bool) -> None:
    if as_json or not console().is_terminal:
        raise click.UsageError("--watch draws in a terminal; leave it out in a pipe and with --json", click.get_current_context())
    try:
        awaited(_redraw(client, draw), client.url)
    except KeyboardInterrupt:
        return  # its only end, so it is a good one


async def _redraw(client: Client, draw: Callable[[Admin], Awaitable[Text]]) -> None:
    async with Admin(client) as admin:
        with Live(await draw(admin), console=console(), auto_refresh=False, screen=True) as live:
            while True:
                await asyncio.sleep(EVERY)
                live.update(await draw(admin), refresh=True)

"""``opwright queues``: how they stand, and pausing them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import click
from rich.text import Text

from opwright.admin.admin import Admin
from opwright.admin.company import Queues, plain_queues
from opwright.admin.operator import Operator
from opwright.admin.words import listed, relative
from opwright.cli.output import columns, examples, heading, json_text, now
from opwright.cli.places import (
    acting,
    awaited,
    client_of,
    json_option,
    one_target,
    target_argument,
    target_words,
    url_option,
)
from opwright.cli.watching import look, watch_option
from opwright.clock import moment
from opwright.model.queue import QueueStanding

_COLUMNS = ("QUEUE", "READY", "DELAYED", "LIMITED", "FOLLOWING", "RUNNING", "PAUSED", "HOSTS")


class ListedGroup(click.Group):
    """A group whose ``list`` is meant where no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self.completed(args))

    def completed(self, args: list[str]) -> list[str]:
        """The words with the command that they mean."""
        named = args[:1] and args[0] in {*self.commands, *("-h", "--help")}
        return args if named else ["list", *args]


@click.group(cls=ListedGroup, short_help="The queues: how they stand; pause and resume.")
def queues() -> None:
    """Look at queues, pause and resume them. Without a command: list."""


@queues.command(
    "list",
    short_help="How each queue stands.",
    epilog=examples("opwright queues list assets:ops", "opwright queues list --url sqlite:///assets.db --watch"),
)
@target_argument
@url_option
@watch_option
@json_option
def list_command(target: str | None, url: str | None, *, watch: bool, as_json: bool) -> None:
    """List each queue that holds something or is known by name, with the live hosts that serve it.

    DELAYED is due later, LIMITED waits for a slot of its limit, FOLLOWING for the operations that it follows.
    """
    look(client_of(target, url), Admin.queues, _table, plain_queues, "no queues", as_json=as_json, watch=watch)


def _table(found: Queues) -> list[Text]:
    rows = [_row(one, found) for one in found.standings]
    return columns([heading(_COLUMNS), *rows], cut=True) if rows else []


def _row(one: QueueStanding, found: Queues) -> list[Text | str]:
    counts = (one.ready, one.delayed, one.limited, one.following, one.running)
    paused = Text("" if one.paused is None else relative(moment(one.paused), now(), 1), style="yellow")
    names = [f"{host.id} {host.name}" for host in found.served_by(one.name)]
    return [one.name, *(f"{count:,}" for count in counts), paused, listed(names) if names else Text("none", style="yellow")]


@queues.command(
    "pause",
    short_help="Begin nothing more of a queue, on any host.",
    epilog=examples("opwright queues pause assets:ops mail", "opwright queues pause --url sqlite:///assets.db mail"),
)
@target_words("[TARGET]")
@click.argument("name")
@url_option
@json_option
def pause(target: tuple[str, ...], name: str, url: str | None, *, as_json: bool) -> None:
    """Pause the queue NAME: no host begins any more of it, until it is resumed. What a host has taken already goes on."""
    was_paused = _act(target, url, name, Operator.pause_queue)
    click.echo(json_text({"name": name, "paused": True, "was_paused": was_paused}) if as_json else f"{name} is paused")


@queues.command(
    "resume",
    short_help="Begin the operations of a paused queue again.",
    epilog=examples("opwright queues resume assets:ops mail", "opwright queues resume --url sqlite:///assets.db mail"),
)
@target_words("[TARGET]")
@click.argument("name")
@url_option
@json_option
def resume(target: tuple[str, ...], name: str, url: str | None, *, as_json: bool) -> None:
    """Resume the queue NAME."""
    was_paused = _act(target, url, name, Operator.resume_queue)
    words = f"{name} is resumed" if was_paused else f"{name} was not paused"
    click.echo(json_text({"name": name, "paused": False, "was_paused": was_paused}) if as_json else words)


def _act(target: tuple[str, ...], url: str | None, name: str, act: Callable[[Operator, str], Awaitable[None]]) -> bool:
    """Pause or resume; whether the queue had been paused."""
    client = client_of(one_target(target), url)

    async def acted() -> bool:
        async with acting(client) as operator:
            before = (await operator.queues()).standings
            await act(operator, name)
            return any(one.name == name and one.paused is not None for one in before)

    return awaited(acted(), client.url)

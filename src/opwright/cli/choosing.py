"""Which operations an act is for: the IDs that were given, or with ``--all`` what was found and agreed to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click

from opwright.cli.completing import queues, triggers
from opwright.cli.places import acting
from opwright.model.status import Status
from opwright.operations.client import Client

Command = TypeVar("Command", bound=Callable[..., Any])


def many(statuses: Sequence[Status], default: str) -> Callable[[Command], Command]:
    """The options of an act on all operations of some kind."""
    options = (
        click.option("--all", "everything", is_flag=True, help="All of this status, trigger and queue in place of IDs."),
        click.option(
            "--status",
            type=click.Choice([one.value for one in statuses], case_sensitive=False),
            help=f"With --all.  [default: {default}]",
        ),
        click.option("--trigger", metavar="NAME", shell_complete=triggers, help="With --all: only of this trigger."),
        click.option("--queue", metavar="NAME", shell_complete=queues, help="With --all: only of this queue."),
        click.option("--yes", is_flag=True, help="With --all: do not ask."),
    )

    def decorated(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated


async def chosen_ids(
    client: Client,
    ids: list[int],
    statuses: Sequence[Status],
    *,
    everything: bool,
    trigger: str | None,
    queue: str | None,
    yes: bool,
    verb: str,
    since: datetime | None = None,
) -> list[int]:
    """The IDs that were given, or with --all those that were found, once it was agreed to."""
    context = click.get_current_context()
    if bool(ids) == everything:
        raise click.UsageError("give either IDs or --all", context)
    if not everything:
        if trigger or queue or yes or since or context.params["status"]:
            raise click.UsageError("--status, --trigger, --queue, --since and --yes belong to --all", context)
        return list(dict.fromkeys(ids))
    async with acting(client) as operator:
        found = await operator.find(statuses, trigger=trigger, queue=queue, since=since)
        done = await operator.retried() if verb == "retry" and found else set()
    chosen = [one for one in found if one not in done]
    if chosen and not yes:
        _agree(f"{verb} {len(chosen):,} {'operation' if len(chosen) == 1 else 'operations'}", context)
    return chosen


def _agree(what: str, context: click.Context) -> None:
    """Ask, or raise: Abort for a no, UsageError where there is nobody to ask."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"nobody can be asked here whether to {what}: say --yes", context)
    click.confirm(what[0].upper() + what[1:] + "?", abort=True, err=True)

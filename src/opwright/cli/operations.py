"""``opwright operations``: a list, and all about one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click
from rich.text import Text

from opwright.admin.admin import Admin
from opwright.admin.record import Record, plain_operation, plain_record
from opwright.admin.words import duration, relative
from opwright.cli.acts import cancel, resume, retry
from opwright.cli.completing import triggers
from opwright.cli.follow import follow
from opwright.cli.output import columns, examples, heading, headline, json_text, now, status_text
from opwright.cli.places import awaited, client_of, json_option, one_target, target_argument, target_words, url_option
from opwright.cli.record import show_record
from opwright.cli.watching import look, watch_option
from opwright.model.operation import Operation
from opwright.model.status import Status
from opwright.operations.client import Client

_COLUMNS = ("ID", "STATUS", "TRIGGER", "SUBMITTED", "TOOK", "NOTE")


@click.group(short_help="List operations, show, follow, cancel, retry or resume them.")
def operations() -> None:
    """Look at operations, and act on them. Looking changes nothing; each act leaves a line in the operation's log."""


for command in (follow, cancel, retry, resume):
    operations.add_command(command)


@operations.command(
    "list",
    short_help="The newest operations.",
    epilog=examples(
        "opwright operations list assets:ops --status failed",
        "opwright operations list --url sqlite:///assets.db --limit 5 --json",
    ),
)
@target_argument
@url_option
@click.option(
    "--status", type=click.Choice([status.value for status in Status], case_sensitive=False), help="Only of this status."
)
@click.option("--trigger", metavar="NAME", shell_complete=triggers, help="Only of this trigger.")
@click.option("--limit", metavar="N", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many.")
@click.option("--before", type=int, metavar="ID", help="The next page: what follows this operation in the list.")
@watch_option
@json_option
def list_command(
    *,
    target: str | None,
    url: str | None,
    status: str | None,
    trigger: str | None,
    limit: int,
    before: int | None,
    watch: bool,
    as_json: bool,
) -> None:
    """List the newest operations; with --status FAILED or CANCELLED the last to end come first."""
    wanted = Status(status.upper()) if status else None

    async def question(admin: Admin) -> list[Operation]:
        return await admin.list(limit, status=wanted, trigger=trigger, before=before)

    look(
        client_of(target, url), question, _table, lambda found: [plain_operation(operation) for operation in found],
        "no operations", as_json=as_json, watch=watch,
    )  # fmt: skip


def _table(found: list[Operation]) -> list[Text]:
    instant = now()
    return columns([heading(_COLUMNS), *(_row(operation, instant) for operation in found)], cut=True) if found else []


def _row(operation: Operation, now: datetime) -> Sequence[Text | str]:
    took = duration((operation.ended - operation.started).total_seconds()) if operation.ended and operation.started else ""
    return [
        str(operation.id), status_text(operation.status), operation.trigger, relative(operation.submitted, now, 1), took,
        _note(operation, now),
    ]  # fmt: skip


def _note(operation: Operation, now: datetime) -> str:
    """The one thing most worth knowing."""
    if operation.error:
        return headline(operation.error)
    if operation.due:
        return f"due {relative(operation.due, now, 1)}"
    notes = [f"attempt {operation.attempt}"] if operation.attempt and operation.attempt > 1 else []
    if operation.status is Status.PROCESSING and operation.started:  # known of what has outlived a renewal
        notes.append(f"runs for {duration((now - operation.started).total_seconds(), 1)}")
    return ", ".join(notes)


@operations.command(
    "show",
    short_help="Everything about one operation.",
    epilog=examples("opwright operations show assets:ops 382431443497251387"),
)
@target_words("[TARGET]")
@click.argument("identifier", type=int, metavar="ID")
@url_option
@json_option
def show_command(target: tuple[str, ...], identifier: int, url: str | None, *, as_json: bool) -> None:
    """Show everything that is known about the operation ID: where it stands, its times, inputs, result, error and log."""
    client = client_of(one_target(target), url)
    record = awaited(_record(client, identifier), client.url)
    if as_json:
        click.echo(json_text(plain_record(record)))
    else:
        show_record(record, now())


async def _record(client: Client, identifier: int) -> Record:
    async with Admin(client) as admin:
        return await admin.show(identifier)

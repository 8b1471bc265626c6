"""``opwright operations``: a list, and all about one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import click
import msgspec
from rich.text import Text

from opwright.admin.admin import Admin
from opwright.admin.record import Line, Record, plain_operation, plain_record
from opwright.admin.words import duration, relative
from opwright.cli.output import columns, examples, headline, indented, json_text, moment_text, show, status_text
from opwright.cli.places import awaited, client_of, json_option, url_option
from opwright.clock import SystemClock, moment
from opwright.model.claim import DelayReason
from opwright.model.operation import Operation
from opwright.model.status import Status
from opwright.operations.client import Client

_COLUMNS = ("ID", "STATUS", "TRIGGER", "SUBMITTED", "TOOK", "NOTE")
_REASONS = {DelayReason.RETRY: "for a retry", DelayReason.WAIT: "to be asked again"}


@click.group(short_help="List operations, or show one.")
def operations() -> None:
    """Look at operations. Looking changes nothing."""


@operations.command(
    "list",
    short_help="The newest operations.",
    epilog=examples(
        "opwright operations list assets:ops --status failed",
        "opwright operations list --url sqlite:///assets.db --limit 5 --json",
    ),
)
@click.argument("target", required=False)
@url_option
@click.option(
    "--status", type=click.Choice([status.value for status in Status], case_sensitive=False), help="Only of this status."
)
@click.option("--trigger", metavar="NAME", help="Only of this trigger.")
@click.option("--limit", metavar="N", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many.")
@click.option("--before", type=int, metavar="ID", help="The next page: what follows this operation in the list.")
@json_option
def list_command(
    *, target: str | None, url: str | None, status: str | None, trigger: str | None, limit: int, before: int | None, as_json: bool
) -> None:
    """List the newest operations; with --status FAILED or CANCELLED the last to end come first."""
    wanted = Status(status.upper()) if status else None
    client = client_of(target, url)
    found = awaited(_page(client, wanted, trigger, limit, before), client.url)
    if as_json:
        click.echo(json_text([plain_operation(operation) for operation in found]))
    elif found:
        show(*_table(found, _now()))
    else:
        click.echo("no operations", err=True)


async def _page(client: Client, status: Status | None, trigger: str | None, limit: int, before: int | None) -> list[Operation]:
    async with Admin(client) as admin:
        return await admin.list(limit, status=status, trigger=trigger, before=before)


def _table(found: list[Operation], now: datetime) -> list[Text]:
    rows: list[Sequence[Text | str]] = [[Text(name, style="bold") for name in _COLUMNS]]
    rows += [_row(operation, now) for operation in found]
    return columns(rows, cut=True)


def _row(operation: Operation, now: datetime) -> list[Text | str]:
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
    return f"attempt {operation.attempt}" if operation.attempt and operation.attempt > 1 else ""


@operations.command(
    "show",
    short_help="Everything about one operation.",
    epilog=examples("opwright operations show assets:ops 382431443497251387"),
)
@click.argument("target", nargs=-1, metavar="[TARGET]")
@click.argument("identifier", type=int, metavar="ID")
@url_option
@json_option
def show_command(target: tuple[str, ...], identifier: int, url: str | None, *, as_json: bool) -> None:
    """Show everything that is known about the operation ID: where it stands, its times, inputs, result, error and log."""
    if len(target) > 1:
        raise click.UsageError(f"unexpected {target[1]!r}", click.get_current_context())
    client = client_of(target[0] if target else None, url)
    record = awaited(_record(client, identifier), client.url)
    if as_json:
        click.echo(json_text(plain_record(record)))
    else:
        _show(record, _now())


async def _record(client: Client, identifier: int) -> Record:
    async with Admin(client) as admin:
        return await admin.show(identifier)


def _show(record: Record, now: datetime) -> None:
    operation = record.operation
    head = Text(f"{operation.id} {operation.trigger} ", style="bold").append_text(status_text(operation.status))
    show(head, *columns(_facts(record, now), indent=2))
    for title, text in (("inputs", operation.inputs), ("result", operation.result)):
        if text is not None:
            show(Text(title, style="bold"), indented(msgspec.json.format(text, indent=2)))
    if operation.error:
        show(Text("error", style="bold"), indented(operation.error))
    show(Text("log", style="bold"), *_log(record.log))


def _facts(record: Record, now: datetime) -> Iterator[tuple[str, str]]:
    operation, standing = record.operation, record.standing
    budget = standing.options
    yield "attempt", f"{operation.attempt or 0} (retries {budget.retries}, recoveries {budget.recoveries})"
    yield "queue", f"{operation.queue}, priority {operation.priority}"
    if budget.timeout is not None:
        yield "timeout", duration(budget.timeout)
    for name in ("key", "submitter", "retry_of"):
        if getattr(operation, name) is not None:
            yield name.replace("_", " "), str(getattr(operation, name))
    if operation.host is not None:
        worker = f", worker {operation.worker}" if operation.worker else ""
        yield "host", f"{operation.host} {standing.host_name or '(forgotten)'}{worker}"
    yield from _times(record, now)


def _times(record: Record, now: datetime) -> Iterator[tuple[str, str]]:
    operation, standing = record.operation, record.standing
    yield "submitted", moment_text(operation.submitted, now)
    if operation.due:
        reason = f", {_REASONS[standing.reason]}" if standing.reason in _REASONS else ""
        yield "due", moment_text(operation.due, now) + reason
    if operation.started:
        yield "started", moment_text(operation.started, now)
    if standing.updated:
        yield "last sign of life", moment_text(moment(standing.updated), now)
    if standing.cancel_asked:
        yield "cancel asked", moment_text(moment(standing.cancel_asked), now)
    if operation.ended:
        yield "ended", moment_text(operation.ended, now)
    yield from _durations(operation, now)


def _durations(operation: Operation, now: datetime) -> Iterator[tuple[str, str]]:
    if operation.started:
        yield "waited", duration((operation.started - operation.submitted).total_seconds())
        took = duration(((operation.ended or now) - operation.started).total_seconds())
        yield "took", took if operation.ended else f"{took} so far"


def _log(lines: list[Line]) -> Iterator[Text]:
    """One line each; what a line has below its headline stands beneath it."""
    for line, row in zip(lines, columns(map(_log_row, lines), indent=2), strict=True):
        yield row
        if more := line.text.partition("\n")[2]:
            yield indented(more, 6)


def _log_row(line: Line) -> tuple[str, str, str]:
    attempt = f"attempt {line.attempt}" if line.attempt else ""
    at = line.at.astimezone()
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}", line.kind, ": ".join(filter(None, (attempt, headline(line.text))))


def _now() -> datetime:
    return moment(SystemClock().now())

"""One operation as people see it: everything that is known about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

import msgspec
from rich.text import Text

from opwright.admin.admin import MOST_RELATIVES
from opwright.admin.record import Line, Record
from opwright.admin.words import duration, listed, relative
from opwright.cli.output import bar, clock_text, columns, headline, indented, moment_text, show, status_text
from opwright.clock import SECOND, moment
from opwright.commands.events import QUEUE
from opwright.model.claim import DelayReason
from opwright.model.event_state import EventState
from opwright.model.operation import Operation
from opwright.store.listing import Holder, Relative, Standing

_REASONS = {DelayReason.RETRY: "for a retry", DelayReason.WAIT: "to be asked again"}
_MOST_SHOWN = 8


def show_record(record: Record, now: datetime) -> None:
    """Print it all."""
    operation = record.operation
    head = Text(f"{operation.id} {operation.trigger} ", style="bold").append_text(status_text(operation.status))
    show(head, *columns(_facts(record, now), indent=2))
    for title, relatives in (("follows", record.predecessors), ("children", record.children)):
        if relatives:
            show(Text(f"{title} ({_counted(relatives)})", style="bold"), *_relatives(relatives))
    for title, text in (("inputs", operation.inputs), ("result", operation.result)):
        if text is not None:
            show(Text(title, style="bold"), indented(msgspec.json.format(text, indent=2)))
    for number, answer in enumerate(record.standing.answers, start=1):
        show(Text(f"answer {number}", style="bold"), indented(msgspec.json.format(answer, indent=2)))
    if operation.error:
        show(Text("error", style="bold"), indented(operation.error))
    show(Text("log", style="bold"), *_log(record.log))


def _counted(relatives: list[Relative]) -> str:
    """How many there are in which status."""
    found = Counter(one.status or "swept" for one in relatives)
    return ", ".join(f"{count:,} {status}" for status, count in found.items())


def _relatives(relatives: list[Relative]) -> Iterator[Text]:
    shown = relatives[:_MOST_SHOWN]
    yield from columns(
        [(str(one.id), status_text(one.status) if one.status else Text("swept"), one.trigger or "") for one in shown], indent=2
    )
    if len(relatives) > len(shown):
        more = "or more" if len(relatives) >= MOST_RELATIVES else "more"
        yield Text(f"  and {len(relatives) - len(shown):,} {more}")


def _facts(record: Record, now: datetime) -> Iterator[tuple[str, Text | str]]:
    operation, standing = record.operation, record.standing
    budget = standing.options
    if record.progress:
        yield "progress", bar(record.progress.fraction or 0.0, record.progress.text)
    yield "attempt", f"{operation.attempt or 0} (retries {budget.retries}, recoveries {budget.recoveries})"
    yield "queue", f"{operation.queue}, priority {operation.priority}"
    if operation.queue == QUEUE:
        yield "event", EventState.of(operation.status)
    if budget.timeout is not None:
        yield "timeout", duration(budget.timeout)
    for name in ("key", "submitter", "retry_of", "parent"):
        if getattr(operation, name) is not None:
            yield name.replace("_", " "), str(getattr(operation, name))
    if operation.host is not None:
        worker = f", worker {operation.worker}" if operation.worker else ""
        yield "host", f"{operation.host} {standing.host_name or '(forgotten)'}{worker}"
    yield from _obstacles(record, now)
    yield from _times(record, now)


def _obstacles(record: Record, now: datetime) -> Iterator[tuple[str, str]]:
    """What it waits for, and what it runs under."""
    standing = record.standing
    if standing.remaining is not None:
        yield "behind", f"{standing.remaining:,} of those that it follows" + (", even if they fail" if standing.despite else "")
    if standing.lane is not None:
        yield "limit", f"{standing.lane}: {_limit(standing)}" + ("; it waits for a slot" if standing.limited else "")
    if standing.limited:
        yield "slots held by", listed([_holder(one, now) for one in record.holders]) or "nobody: a host gives them out soon"
    if standing.lapsed:
        yield "waits", f"{standing.lapsed} in a row, with no answer"


def _limit(standing: Standing) -> str:
    slots = standing.capacity or 0
    return f"{slots} at once" if standing.period is None else f"{slots} in {duration(standing.period / SECOND)}"


def _holder(one: Holder, now: datetime) -> str:
    if one.until is not None:
        return f"{one.holder.id} (free {relative(moment(one.until), now, 1) if one.until else 'now'})"
    return f"{one.holder.id} ({one.holder.status or 'swept'})"


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
    share = f"{line.fraction:.0%}" if line.fraction is not None else ""
    return clock_text(line.at), line.kind, ": ".join(filter(None, (attempt, share, headline(line.text))))

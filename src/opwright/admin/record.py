"""One operation as an operator sees it: what is known, its log from submit to end, and nothing that is secret."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from opwright.clock import moment
from opwright.model.claim import NoteKind
from opwright.model.operation import Note, Operation
from opwright.store.listing import Standing

MASK = "***"
_SECRET = re.compile(r"passw|passphrase|secret|token|credential|authorization|api_?key|private_?key", re.IGNORECASE)


class Line(NamedTuple):
    """One line of an operation's log."""

    at: datetime
    kind: str
    text: str
    attempt: int | None = None


class Record(NamedTuple):
    """Everything that is known about one operation."""

    operation: Operation
    standing: Standing
    log: list[Line]


def history(operation: Operation, notes: list[Note]) -> list[Line]:
    """The whole log. A plain success keeps no lines, so its submit, start and end are told from the operation itself."""
    told = [Line(moment(note.at), NoteKind(note.kind).name.lower(), note.text, note.attempt) for note in notes]
    if operation.started:
        told.append(Line(operation.started, "started", "", operation.attempt))
    if operation.ended:
        told.append(Line(operation.ended, "ended", operation.status.value))
    return [Line(operation.submitted, "submitted", ""), *sorted(told, key=_order)]


def _order(line: Line) -> tuple[bool, datetime]:
    """By time, the end last: a worker's clock and the database's need not agree to the millisecond."""
    return line.kind == "ended", line.at


def masked(operation: Operation) -> Operation:
    """The operation with what its inputs hold under names such as ``password`` or ``token`` masked."""
    if not _SECRET.search(operation.inputs):
        return operation
    inputs = msgspec.json.encode(_mask(msgspec.json.decode(operation.inputs))).decode()
    return msgspec.structs.replace(operation, inputs=inputs)


def _mask(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: MASK if _SECRET.search(name) else _mask(part) for name, part in value.items()}
    return [_mask(part) for part in value] if isinstance(value, list) else value


def plain_operation(operation: Operation) -> dict[str, Any]:
    """The operation as JSON shows it: ids as text, because 63 bits are more than JavaScript's numbers hold."""
    fields = msgspec.structs.asdict(operation)
    ids = {name: None if fields[name] is None else str(fields[name]) for name in ("id", "retry_of")}
    texts = {name: None if fields[name] is None else msgspec.Raw(fields[name].encode()) for name in ("inputs", "result")}
    return fields | ids | texts


def plain_record(record: Record) -> dict[str, Any]:
    """The record as JSON shows it."""
    standing = record.standing
    more = {
        "host_name": standing.host_name,
        "options": msgspec.structs.asdict(standing.options),
        "delayed_for": standing.reason.name.lower() if standing.reason else None,
        "updated": moment(standing.updated) if standing.updated else None,
        "cancel_asked": moment(standing.cancel_asked) if standing.cancel_asked else None,
        "log": [line._asdict() for line in record.log],
    }
    return plain_operation(record.operation) | more

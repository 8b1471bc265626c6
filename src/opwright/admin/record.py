"""One operation as an operator sees it: what is known, its log from submit to end, and nothing that is secret."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from opwright.clock import SECOND, moment
from opwright.model.claim import NoteKind
from opwright.model.operation import Note, Operation
from opwright.model.status import Status
from opwright.store.listing import Holder, Relative, Standing

MASK = "***"
_CLOCKS_DIFFER = timedelta(seconds=1)  # a worker's clock and the database's; only what an operator did can be after the end
_SECRET = re.compile(r"passw|passphrase|secret|token|credential|authorization|api_?key|private_?key", re.IGNORECASE)


class Line(NamedTuple):
    """One line of an operation's log; ``fraction`` is how far it was, from 0 to 1."""

    at: datetime
    kind: str
    text: str
    attempt: int | None = None
    fraction: float | None = None


class Record(NamedTuple):
    """Everything that is known about one operation. ``holders`` have the slots of its limit, while it waits for one."""

    operation: Operation
    standing: Standing
    log: list[Line]
    children: list[Relative]
    predecessors: list[Relative]
    holders: list[Holder]

    @property
    def progress(self) -> Line | None:
        """How far the attempt is that runs now."""
        if self.operation.status is not Status.PROCESSING:
            return None
        told = [line for line in self.log if line.fraction is not None and line.attempt == self.operation.attempt]
        return told[-1] if told else None


def history(operation: Operation, notes: list[Note]) -> list[Line]:
    """The whole log. A plain success keeps no lines, so its submit, start and end are told from the operation itself."""
    told = [
        Line(moment(note.at), NoteKind(note.kind).name.lower(), note.text, note.attempt or None, note.fraction) for note in notes
    ]
    if operation.started:
        told.append(Line(operation.started, "started", "", operation.attempt))
    if operation.ended is None:
        return [Line(operation.submitted, "submitted", ""), *sorted(told, key=_at)]
    ended = operation.ended
    after = [line for line in told if line.kind == "operator" and line.at > ended + _CLOCKS_DIFFER]
    before = [line for line in told if line not in after]
    end = Line(ended, "ended", operation.status.value)
    return [Line(operation.submitted, "submitted", ""), *sorted(before, key=_at), end, *sorted(after, key=_at)]


def _at(line: Line) -> datetime:
    return line.at


def masked(operation: Operation) -> Operation:
    """The operation with what its inputs and its result hold under names such as ``password`` or ``token`` masked."""
    result = None if operation.result is None else masked_text(operation.result)
    return msgspec.structs.replace(operation, inputs=masked_text(operation.inputs), result=result)


def masked_text(text: str) -> str:
    """A JSON text with its secrets masked."""
    return msgspec.json.encode(_mask(msgspec.json.decode(text))).decode() if _SECRET.search(text) else text


def _mask(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: MASK if _SECRET.search(name) else _mask(part) for name, part in value.items()}
    return [_mask(part) for part in value] if isinstance(value, list) else value


def plain_operation(operation: Operation) -> dict[str, Any]:
    """The operation as JSON shows it: ids as text, because 63 bits are more than JavaScript's numbers hold."""
    fields = msgspec.structs.asdict(operation)
    ids = {name: None if fields[name] is None else str(fields[name]) for name in ("id", "retry_of", "parent")}
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
        "limit": _plain_limit(record),
        "waits_unanswered": standing.lapsed,
        "answers": [msgspec.Raw(text.encode()) for text in standing.answers],
        "children": [plain_relative(one) for one in record.children],
        "follows": [plain_relative(one) for one in record.predecessors],
        "log": [line._asdict() for line in record.log],
    }
    return plain_operation(record.operation) | more


def plain_relative(one: Relative) -> dict[str, Any]:
    """Another operation as JSON shows it."""
    return {"id": str(one.id), "trigger": one.trigger, "status": one.status}


def _plain_limit(record: Record) -> dict[str, Any] | None:
    standing = record.standing
    if standing.lane is None:
        return None
    slots = [plain_relative(one) | {"free_from": moment(until) if until else None} for one, until in record.holders]
    seconds = standing.period / SECOND if standing.period else None
    return {"lane": standing.lane, "slots": standing.capacity, "per": seconds, "waits": standing.limited, "held_by": slots}

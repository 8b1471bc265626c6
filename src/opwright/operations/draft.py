"""Drafts: what a submit is going to write, before any connection is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opwright.clock import SECOND
from opwright.errors import InvalidOperation
from opwright.model.ids import new_ids
from opwright.model.limit import Limit
from opwright.model.operation import NewOperation
from opwright.operations.keeping import operation_of
from opwright.operations.request import Request
from opwright.operations.trigger import Trigger


def drafts(
    trigger: Trigger[Any, Any], inputs: Sequence[str], request: Request, limits: Mapping[str, Limit]
) -> list[NewOperation]:
    """One new operation for each text of inputs. ``limits`` are those of queues. Raises InvalidOperation."""
    current = operation_of(trigger.client)
    parent = None if current is None else current.id
    limit, owner = _limit(trigger, request.queue, limits)
    operations = [
        NewOperation(
            id=identifier, trigger=trigger.name, queue=request.queue, inputs=text, priority=request.priority,
            options=trigger.options_text, submitter=request.submitter, due=request.due, wait=request.wait, key=request.key,
            parent=parent, after=request.after, despite=request.despite,
        )
        for identifier, text in zip(new_ids(len(inputs)), inputs, strict=True)
    ]  # fmt: skip
    if limit is not None:
        for operation in operations:
            _bind(operation, limit, owner, trigger)
    return operations


def redraw(operations: Sequence[NewOperation]) -> None:
    """Give drafts other ids, because another process has drawn the same. Those among them that follow others go on doing so."""
    fresh = dict(zip((operation.id for operation in operations), new_ids(len(operations)), strict=True))
    for operation in operations:
        operation.id = fresh[operation.id]
        if operation.after is not None:
            operation.after = tuple(fresh.get(one, one) for one in operation.after)


def _limit(trigger: Trigger[Any, Any], queue: str, limits: Mapping[str, Limit]) -> tuple[Limit | None, str]:
    of_queue = limits.get(queue)
    if trigger.limit is None or of_queue is None:
        return (trigger.limit, f"trigger {trigger.name}") if of_queue is None else (of_queue, f"queue {queue}")
    raise InvalidOperation(
        f"limit: both the trigger {trigger.name!r} and the queue {queue!r} have one; an operation runs under one limit only",
        field="limit",
    )


def _bind(operation: NewOperation, limit: Limit, owner: str, trigger: Trigger[Any, Any]) -> None:
    value = None if limit.by is None else trigger.inputs.value(operation.inputs, limit.by)
    operation.lane = limit.lane(owner, value)
    operation.capacity = limit.n
    operation.period = None if limit.per is None else round(limit.per * SECOND)
    operation.held = True

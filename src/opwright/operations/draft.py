"""Drafts: what a submit is going to write, before any connection is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opwright.clock import SECOND
from opwright.errors import InvalidOperation
from opwright.model.ids import new_ids
from opwright.model.limit import Limit
from opwright.model.operation import NewOperation
from opwright.model.run import Run
from opwright.operations.keeping import operation_of
from opwright.operations.request import Request
from opwright.operations.trigger import Trigger


def draft(trigger: Trigger[Any, Any], inputs: str, request: Request, limits: Mapping[str, Limit]) -> NewOperation:
    """A new operation. ``limits`` are those of queues. Raises InvalidOperation."""
    limit, owner = _limit(trigger, request.queue, limits)
    operation = _draft(trigger, new_ids(1)[0], inputs, request)
    if limit is not None:
        _bind(operation, limit, owner, trigger)
    return operation


def drafts(
    trigger: Trigger[Any, Any], inputs: Sequence[str], request: Request, limits: Mapping[str, Limit]
) -> Sequence[NewOperation]:
    """One new operation for each text of inputs, of which there is at least one. Raises InvalidOperation."""
    limit, owner = _limit(trigger, request.queue, limits)
    run = Run(_draft(trigger, new_ids(len(inputs))[0], inputs[0], request), inputs)
    if limit is None:
        return run if run.first.at_once else list(run)
    operations = list(run)
    for operation in operations:
        _bind(operation, limit, owner, trigger)
    return operations


def _draft(trigger: Trigger[Any, Any], identifier: int, inputs: str, request: Request) -> NewOperation:
    current = operation_of(trigger.client)
    return NewOperation(
        id=identifier, trigger=trigger.name, queue=request.queue, inputs=inputs, priority=request.priority,
        options=trigger.options_text, submitter=request.submitter, due=request.due, wait=request.wait, key=request.key,
        parent=None if current is None else current.id, after=request.after, despite=request.despite,
    )  # fmt: skip


def redraw(operations: Sequence[NewOperation]) -> None:
    """Give drafts other ids, because another process has drawn the same. Those among them that follow others go on doing so."""
    if isinstance(operations, Run):
        operations.first.id = new_ids(len(operations))[0]
        return
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

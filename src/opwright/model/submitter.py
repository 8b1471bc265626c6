"""Handing an operation back to its submitter: an operation of its own, written in the transaction that writes the outcome."""

from __future__ import annotations

import msgspec

from opwright.model.ids import new_id
from opwright.model.operation import NewOperation
from opwright.model.options import Backoff, Options

RETRIES = 20  # with the pauses below about a day and a half
_OPTIONS = Options(retries=RETRIES, recoveries=RETRIES, backoff=Backoff(first=5.0, factor=2.0, longest=7200.0))
_OPTIONS_TEXT = msgspec.json.encode(_OPTIONS).decode()


def hand_back_trigger(submitter: str) -> str:
    """The name of the trigger that hands operations back to this submitter."""
    return f"{submitter}.hand_back"


def hand_back_of(operation: int, submitter: str, queue: str, priority: int) -> NewOperation:
    """The hand-back of an operation. It lies in the same queue, so whoever serves that serves it too, and has no submitter."""
    return NewOperation(
        new_id(), hand_back_trigger(submitter), queue, f'{{"operation":{operation}}}', priority,
        options=_OPTIONS_TEXT, parent=operation,
    )  # fmt: skip

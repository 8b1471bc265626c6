"""The operation that runs this code: ``from opwright import operation``, then ``operation.log("…")``.

Each function is the method of the same name of ``current()``, and raises NotInOperation outside of a running trigger.
"""

from __future__ import annotations

from typing import Any, NoReturn

from opwright.operations.transaction import Transaction
from opwright.workers.current import Current, current

__all__ = ["Current", "Transaction", "cancelled", "current", "log", "progress", "retry", "touch", "transaction", "wait"]


def transaction(on: object | None = None) -> Transaction:
    """A block in which this operation's own writes and its success commit together: at once, or not at all.

    ``async with operation.transaction() as own:`` (or a plain ``with``) gives ``own.connection`` to write with and
    ``own.returns(…)`` to set the operation's result, and commits at its end. With ``on``, a connection or session of the
    application, the success is written there at the end of the block, and commits when the application commits. What is submitted
    in the block is written in the same transaction. On SQLite nobody else can write while the block lasts.

    Raises StaleClaim at the end of the block when this worker has lost the operation meanwhile: nothing is written then.
    """
    return Transaction(current(), on)


def log(text: str) -> None:
    """Add a line to the operation's log."""
    current().log(text)


def progress(fraction: float, text: str = "") -> None:
    """Tell how far it is, from 0 to 1, and in words."""
    current().progress(fraction, text)


def touch() -> None:
    """Give a sign of life; without any for the maximum processing time an operation is ended."""
    current().touch()


def wait(seconds: float | None = None, *, times: int | None = None) -> Any:
    """Wait until the operation is resumed; it is then **run again from its start**, and this returns the value."""
    return current().wait(seconds, times=times)


def retry(after: float | None = None, reason: str | None = None) -> NoReturn:
    """End this attempt, and ask for another one after so many seconds."""
    current().retry(after, reason)


def cancelled() -> bool:
    """Whether somebody asked this operation to stop."""
    return current().cancelled

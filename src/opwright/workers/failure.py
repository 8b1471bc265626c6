"""What people read about a failure: of a trigger, or of the process that ran it.

An operation keeps of an exception one line that says what happened, then where in the user's own code.
"""

from __future__ import annotations

import signal
import traceback
from pathlib import Path

from opwright.model.text import clean

_OURS = str(Path(__file__).parents[1])


def failure_text(error: BaseException) -> str:
    """``Type: message`` on the first line, the traceback without our own frames below. Cleaned; never raises."""
    try:
        summary = traceback.TracebackException.from_exception(error)
        _drop_our_frames(summary)
        return clean(f"{_headline(error)}\n{''.join(summary.format())}".rstrip())
    except Exception:  # noqa: BLE001 - an exception whose own methods fail must still be reported
        return clean(type(error).__name__)


def exit_text(code: int) -> str:
    """How a process ended, from the return code that Popen gives."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        name = f" ({signal.Signals(-code).name})"
    except ValueError:
        name = ""  # a real-time signal
    return f"was killed by signal {-code}{name}"


def _headline(error: BaseException) -> str:
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - the message is the user's code too
        message = "its message cannot be read"
    name = type(error).__name__
    return f"{name}: {message}" if message else name


def _drop_our_frames(summary: traceback.TracebackException) -> None:
    """Also of what caused it, and of each member of a group."""
    waiting = [summary]
    while waiting:
        one = waiting.pop()
        one.stack = traceback.StackSummary.from_list([frame for frame in one.stack if not frame.filename.startswith(_OURS)])
        waiting += [other for other in (one.__cause__, one.__context__) if other is not None]
        waiting += one.exceptions or []

"""The context variables that an outermost command begins with: none, apart from the current trace and the operation it is."""

from __future__ import annotations

import sys
from contextvars import Context

from opwright.workers.capture import capturing
from opwright.workers.current import running


def clean_context() -> Context:
    """An empty context. OpenTelemetry's own is attached to it where the application uses that."""
    fresh = Context()
    tracing = sys.modules.get("opentelemetry.context")  # what was never imported traces nothing
    if tracing is not None and (current := tracing.get_current()):
        fresh.run(tracing.attach, current)
    return fresh


def submitted_context() -> Context:
    """The same for a command that was submitted: it is the running operation, which has progress and a log."""
    fresh = clean_context()
    fresh.run(running.set, running.get())
    fresh.run(capturing.set, capturing.get())
    return fresh

"""The context variables that an outermost command begins with: none, apart from the current trace."""

from __future__ import annotations

import sys
from contextvars import Context


def clean_context() -> Context:
    """An empty context. OpenTelemetry's own is attached to it where the application uses that."""
    fresh = Context()
    tracing = sys.modules.get("opentelemetry.context")  # what was never imported traces nothing
    if tracing is not None:
        fresh.run(tracing.attach, tracing.get_current())
    return fresh

"""Completion of names that an application knows. It is imported for that, and no database is asked."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from inspect import signature
from typing import Any

import click
from click.shell_completion import CompletionItem

from opwright.admin.application import load
from opwright.app.application import Opwright
from opwright.errors import OpwrightError


def triggers(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The triggers of the TARGET that stands on the line."""
    application = _application(context)
    return _beginning(application.registry.names() if application else [], incomplete)


def queues(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The queues that the TARGET names in its program."""
    application = _application(context)
    if application is None:
        return []
    named = {trigger.request.queue for trigger in application.registry} | application.client.limits.keys()
    return _beginning(sorted(named), incomplete)


def inputs(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """``NAME=`` for each input of the TRIGGER that stands on the line."""
    application = _application(context)
    trigger = application.registry.find(context.params.get("trigger") or "") if application else None
    return _beginning([f"{name}=" for name in signature(trigger.function).parameters] if trigger else [], incomplete)


def _beginning(names: list[str], incomplete: str) -> list[CompletionItem[str]]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _application(context: click.Context) -> Opwright | None:
    """The TARGET of the line, if it can be imported; what it prints meanwhile is no completion."""
    found: Any = context.params.get("target") or context.args  # behind an option without its value nothing was told apart yet
    target = found if isinstance(found, str) else next(iter(found), None)
    try:
        with redirect_stdout(io.StringIO()):
            return load(target) if target else None
    except OpwrightError:
        return None

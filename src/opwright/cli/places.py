"""Where a command looks: a TARGET, or the address of a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click

from opwright.admin.application import load
from opwright.admin.words import address
from opwright.app.database import client_for
from opwright.clock import SystemClock
from opwright.errors import StoreError
from opwright.operations.client import Client
from opwright.settings import Database, look_up

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON; ids are text.")
url_option = click.option(
    "--url", metavar="URL", help="The database, when there is no TARGET: sqlite:///file.db or postgresql://…"
)


def client_of(target: str | None, url: str | None) -> Client:
    """The way to the database that a command was pointed at. Raises ConfigurationError, UsageError."""
    if target and url:
        raise click.UsageError("give TARGET or --url, not both", click.get_current_context())
    if target:
        return load(target).client
    return client_given(url)


def client_given(url: str | None) -> Client:
    """The way to the database of ``--url``, or else of the settings. Raises ConfigurationError, UsageError."""
    found = look_up({"url": url} if url else {})
    if not found.build(Database).url:
        raise click.UsageError("name the application (TARGET), give --url, or set OPWRIGHT_URL", click.get_current_context())
    return client_for(found, SystemClock())


def awaited(coroutine: Coroutine[Any, Any, T], url: str) -> T:
    """Run a command's asynchronous part, on uvloop where it is installed. What the database refuses is told with its address."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            return runner.run(coroutine)
        except StoreError as error:
            hint = "; PgBouncer in between? Add pooled=true to the address" if "startup parameter" in str(error) else ""
            raise type(error)(f"{address(url)}: {error}{hint}") from error


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop

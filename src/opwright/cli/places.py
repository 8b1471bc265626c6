"""Where a command looks: a TARGET, or the address of a database."""

from __future__ import annotations

import asyncio
import getpass
import os
import socket
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from opwright.admin.application import load
from opwright.admin.operator import Operator
from opwright.admin.words import address
from opwright.app.database import client_for
from opwright.clock import SystemClock
from opwright.errors import StoreError
from opwright.operations.client import Client
from opwright.settings import Database, look_up

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])


def files(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Completion by the names of files: a TARGET may be one."""
    return [CompletionItem(incomplete, type="file")]


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON; ids are text.")
url_option = click.option(
    "--url", metavar="URL", help="The database, when there is no TARGET: sqlite:///file.db or postgresql://…"
)

target_argument = click.argument("target", required=False, shell_complete=files)


def target_words(metavar: str) -> Callable[[Command], Command]:
    """TARGET before other arguments, which may be left out; what follows it in ``metavar`` may stand there too."""
    return click.argument("target", nargs=-1, metavar=metavar, shell_complete=files)


def one_target(words: tuple[str, ...]) -> str | None:
    """The TARGET of a command that takes only one word before its last argument. Raises UsageError."""
    if len(words) > 1:
        raise click.UsageError(f"unexpected {words[1]!r}", click.get_current_context())
    return words[0] if words else None


def target_and_ids(words: tuple[str, ...]) -> tuple[str | None, list[int]]:
    """What was meant by ``[TARGET] ID…``: no module and no file is a number. Raises UsageError."""
    target = words[0] if words and not words[0].isdecimal() else None
    return target, [identifier(word) for word in (words[1:] if target else words)]


def identifier(word: str) -> int:
    """The id of an operation. Raises UsageError."""
    if not word.isdecimal() or int(word) >= 1 << 63:
        raise click.UsageError(f"{word!r} is no id of an operation", click.get_current_context())
    return int(word)


def instant(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    """A moment with its time zone, of an option. Raises BadParameter."""
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no moment; write for example 2030-01-31T18:00+01:00") from None
    if found.tzinfo is None:
        raise click.BadParameter(f"{value!r} has no time zone; write for example {found:%Y-%m-%dT%H:%M}Z or …+01:00")
    return found


def acting(client: Client) -> Operator:
    """The operator that sits at this shell."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        user = f"uid {os.getuid()}"
    return Operator(client, f"{user}@{socket.gethostname()} through the command line")


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

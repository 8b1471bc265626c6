"""What an operator does to operations: cancel, retry, resume."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click
import msgspec

from opwright.admin.application import load
from opwright.admin.operator import Cancelling, Operator
from opwright.cli.choosing import chosen_ids, many
from opwright.cli.completing import inputs as input_names
from opwright.cli.exits import Exit
from opwright.cli.output import examples, json_text
from opwright.cli.places import (
    acting,
    awaited,
    client_of,
    identifier,
    instant,
    json_option,
    target_and_ids,
    target_words,
    url_option,
)
from opwright.errors import InvalidOperation, OperationNotFound
from opwright.model.status import Status
from opwright.operations.client import Client
from opwright.operations.registry import Registry

T = TypeVar("T")
BATCH = 50  # operations that are acted on at the same time, each in a transaction of its own
_OPEN = [status for status in Status if not status.ended]
_UNHAPPY = [Status.FAILED, Status.CANCELLED]


@click.command(
    short_help="Cancel operations.",
    epilog=examples(
        "opwright operations cancel assets:ops 382431443497251387",
        "opwright operations cancel assets:ops --all --trigger render",
    ),
)
@target_words("[TARGET] [ID]…")
@url_option
@many(_OPEN, "all that has not ended")
@json_option
def cancel(target: tuple[str, ...], url: str | None, *, status: str | None, as_json: bool, **which: Any) -> int:
    """Cancel the operations ID…, or with --all what has not ended: at once what nobody has begun; of what runs its host is asked.

    Says what came of each. The exit code is 1 if one of the IDs had ended otherwise or does not exist. --all looks for them
    first, tells their number and asks; each is cancelled in a transaction of its own.
    """
    name, ids = target_and_ids(target)
    client = client_of(name, url)
    chosen = awaited(chosen_ids(client, ids, [Status(status.upper())] if status else _OPEN, verb="cancel", **which), client.url)
    answers = awaited(_each(client, chosen, Operator.cancel), client.url)
    if as_json:
        click.echo(json_text([one._asdict() | {"id": str(one.id)} for one in answers]))
    elif which["everything"]:
        click.echo(_summed(answers))
    else:
        click.echo("\n".join(_came_of(one) for one in answers))
    return Exit.FINE if which["everything"] or all(one.wanted for one in answers) else Exit.FAILED


def _came_of(one: Cancelling) -> str:
    words = {"cancelled": "cancelled", "asked": "runs: its host is asked to cancel it", "unknown": "there is no such operation"}
    return f"{one.id} {words.get(one.answer) or f'had ended: {one.status}'}"


def _summed(answers: Sequence[Cancelling]) -> str:
    words = {"cancelled": "cancelled", "asked": "running, their hosts are asked", "ended": "had ended meanwhile"}
    counted = {answer: sum(one.answer == answer for one in answers) for answer in words}
    return ", ".join(f"{count:,} {words[answer]}" for answer, count in counted.items() if count) or "nothing to cancel"


@click.command(
    short_help="Submit ended operations once more.",
    epilog=examples(
        "opwright operations retry assets:ops 382431443497251387 --input width=640",
        "opwright operations retry assets:ops --all --since 2026-01-31T18:00Z",
    ),
)
@target_words("[TARGET] [ID]…")
@url_option
@click.option(
    "--input", "pairs", multiple=True, metavar="NAME=VALUE", shell_complete=input_names, help="Another input; needs TARGET."
)
@click.option("--json-inputs", "document", metavar="JSON", help="Other inputs as a JSON object; - reads it from stdin.")
@many(_UNHAPPY, "FAILED")
@click.option("--since", callback=instant, metavar="ISO", help="With --all: only what ended then or later.")
@json_option
def retry(
    target: tuple[str, ...],
    url: str | None,
    *,
    status: str | None,
    since: datetime | None,
    pairs: tuple[str, ...],
    document: str | None,
    as_json: bool,
    **which: Any,
) -> int:
    """Submit the ended operations ID… once more, as they were, and print the new ids. With --all those that FAILED.

    --input and --json-inputs give some inputs anew; the others stay. --all leaves out what has been retried already, by
    whomever, so it can be said twice.
    """
    name, ids = target_and_ids(target)
    registry = _registry(name) if pairs or document else None
    text = sys.stdin.read() if document == "-" else document
    client = client_of(name, url)
    chosen = awaited(
        chosen_ids(client, ids, [Status(status.upper() if status else Status.FAILED)], since=since, verb="retry", **which),
        client.url,
    )
    answers = awaited(_each(client, chosen, _retrying(registry, pairs, text)), client.url)
    if as_json:
        click.echo(json_text([{"retry_of": str(old), "id": new, "error": error} for old, new, error in answers]))
    else:
        _tell_retries(answers, everything=which["everything"])
    return Exit.FAILED if any(error for _, _, error in answers) else Exit.FINE


Retried = tuple[int, str | None, str | None]


def _registry(target: str | None) -> Registry:
    if target is None:
        raise click.UsageError("--input needs TARGET, which knows the types of the inputs", click.get_current_context())
    return load(target).registry


def _retrying(
    registry: Registry | None, pairs: Sequence[str], document: str | None
) -> Callable[[Operator, int], Awaitable[Retried]]:
    async def once(operator: Operator, operation: int) -> Retried:
        try:
            return operation, str(await operator.retry(operation, registry, pairs, document)), None
        except (InvalidOperation, OperationNotFound) as error:  # of this one; the others are none the worse
            return operation, None, str(error)

    return once


def _tell_retries(answers: Sequence[Retried], *, everything: bool) -> None:
    for old, new, error in answers:
        if error:
            click.echo(f"Error: {error}", err=True)
        elif not everything:
            click.echo(new)
        else:
            click.echo(f"{old} retried as {new}")
    if not answers:
        click.echo("nothing to retry", err=True)


@click.command(
    short_help="Answer an operation that waits.",
    epilog=examples(
        "opwright operations resume assets:ops 382431443497251387",
        """opwright operations resume assets:ops 382431443497251387 '{"ok": true}'""",
    ),
)
@target_words("[TARGET] ID [JSON]")
@url_option
@json_option
def resume(target: tuple[str, ...], url: str | None, *, as_json: bool) -> int:
    """Give the value JSON, or null without one, to the next `operation.wait()` of ID. If it waits now, it goes on at once."""
    name = target[0] if target and not target[0].isdecimal() else None
    words = target[1:] if name else target
    if not 1 <= len(words) <= 2:
        raise click.UsageError("give one ID, and at most one JSON value", click.get_current_context())
    operation = identifier(words[0])
    value = _value(words[1]) if len(words) > 1 else None
    client = client_of(name, url)

    async def resumed() -> bool:
        async with acting(client) as operator:
            return await operator.resume(operation, value)

    found = awaited(resumed(), client.url)
    if as_json:
        click.echo(json_text({"id": str(operation), "resumed": found}))
    elif found:
        click.echo(f"{operation} is resumed")
    else:
        click.echo(f"Error: operation {operation} has ended", err=True)
    return Exit.FINE if found else Exit.FAILED


def _value(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise click.UsageError(f"the value is not JSON: {error}; a text needs its quotes", click.get_current_context()) from None


async def _each(client: Client, operations: Sequence[int], act: Callable[[Operator, int], Awaitable[T]]) -> list[T]:
    """Act on all, so many at a time. What has been done stays done when it is interrupted."""
    answers: list[T] = []
    async with acting(client) as operator:
        for start in range(0, len(operations), BATCH):
            answers += await asyncio.gather(*(act(operator, one) for one in operations[start : start + BATCH]))
    return answers

"""``opwright submit``: one operation from the shell."""

from __future__ import annotations

import math
import sys
from contextlib import suppress
from typing import Any

import click

from opwright.admin.application import load
from opwright.admin.inputs import typed_inputs
from opwright.admin.record import plain_operation
from opwright.app.application import Opwright
from opwright.cli.completing import inputs as input_names
from opwright.cli.completing import queues, triggers
from opwright.cli.ending import told
from opwright.cli.exits import Exit
from opwright.cli.output import examples, json_text
from opwright.cli.places import awaited, files, instant, json_option
from opwright.errors import OperationCancelled, OperationFailed
from opwright.model.operation import OnConflict, Operation
from opwright.operations.handle import Handle
from opwright.operations.trigger import Trigger

_FOREVER = "forever"


class _Submit(click.Command):
    """Lets ``--wait`` stand before anything: only a number after it is its value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        following = [*args[1:], ""]
        bare = [arg == "--wait" and not _is_number(after) for arg, after in zip(args, following, strict=True)]
        return super().parse_args(ctx, [f"--wait={_FOREVER}" if alone else arg for arg, alone in zip(args, bare, strict=True)])


def _is_number(text: str) -> bool:
    with suppress(ValueError):
        return math.isfinite(float(text))
    return False


def _seconds(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    if value is None or value == _FOREVER:
        return None if value is None else math.inf
    if not _is_number(value) or float(value) < 0:
        raise click.BadParameter(f"{value!r} is not a number of seconds")
    return float(value)


@click.command(
    cls=_Submit,
    short_help="Submit an operation, and wait for its result if asked.",
    epilog=examples(
        "opwright submit assets:ops render photo=cat.jpg width=640 --wait",
        """opwright submit assets:ops mail --json-inputs '{"to": ["a@b.c"]}' --delay 60""",
    ),
)
@click.argument("target", shell_complete=files)
@click.argument("trigger", shell_complete=triggers)
@click.argument("inputs", nargs=-1, metavar="[NAME=VALUE]…", shell_complete=input_names)
@click.option("--json-inputs", metavar="JSON", help='Inputs as one JSON object, {"width": 640}; - reads it from stdin.')
@click.option("--queue", metavar="NAME", shell_complete=queues, help="The queue, if not the trigger's own.")
@click.option("--priority", type=int, metavar="N", help="-100 to 100, higher first.")
@click.option("--delay", type=float, metavar="SECONDS", help="Not to be begun before so many seconds have passed.")
@click.option("--start-at", callback=instant, metavar="ISO", help="Not to be begun before: 2030-01-31T18:00+01:00.")
@click.option(
    "--key", metavar="KEY", help="While an operation of the trigger with this key has not ended, there is no second one."
)
@click.option("--on-conflict", type=click.Choice([way.value for way in OnConflict]), help="What to do when the key is taken.")
@click.option("--wait", callback=_seconds, metavar="[SECONDS]", help="Wait for the result, at most so long.")
@json_option
def submit(
    target: str,
    trigger: str,
    inputs: tuple[str, ...],
    json_inputs: str | None,
    wait: float | None,
    *,
    as_json: bool,
    **options: Any,
) -> int:
    """Submit an operation of TRIGGER, and print its id.

    A VALUE is taken as JSON where that fits the declared type of the parameter, else as text: width=640 is a number for an
    int and a text for a str; tags='["a", "b"]' is a list. With --wait the result follows as JSON on a line of its own; an
    operation that FAILED ends with exit code 1.
    """
    application = load(target)
    chosen = application.registry.get(trigger).options(**options)
    document = sys.stdin.read() if json_inputs == "-" else json_inputs
    values = typed_inputs(chosen, inputs, document)
    chosen.inputs.encode((), values)  # refused before a database is opened
    return awaited(_submit(application, chosen, values, wait, as_json=as_json), application.client.url)


async def _submit(
    application: Opwright, trigger: Trigger[Any, Any], inputs: dict[str, Any], wait: float | None, *, as_json: bool
) -> int:
    async with application:
        handle = await trigger.submit(**inputs)
        if not as_json:
            click.echo(str(handle.id))
            sys.stdout.flush()
        if wait is not None:
            operation = await _ended(application.handle(handle.id), wait)
            return told(operation, json_text(plain_operation(operation)) if as_json else None)
        if as_json:
            click.echo(json_text({"id": str(handle.id)}))
        return Exit.FINE


async def _ended(handle: Handle[Any], wait: float) -> Operation:
    """The operation once it has ended. Raises TimeoutError."""
    with suppress(OperationFailed, OperationCancelled):
        await handle.result(None if wait == math.inf else wait)
    return await handle.get()

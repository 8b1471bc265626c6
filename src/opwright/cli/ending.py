"""How an operation ended, told to whoever waited for it."""

from __future__ import annotations

import click
import msgspec

from opwright.cli.exits import Exit
from opwright.cli.output import headline
from opwright.model.operation import Operation
from opwright.model.status import Status


def told(operation: Operation, document: str | None = None) -> int:
    """Print the result, or the document in its place, and on stderr why there is no result; the exit code."""
    if document is not None:
        click.echo(document)
    elif operation.status is Status.SUCCEEDED:
        click.echo(msgspec.json.format(operation.result or "null", indent=0))
    if operation.status is Status.SUCCEEDED:
        return Exit.FINE
    click.echo(f"Error: operation {operation.id} {operation.status.value}: {headline(operation.error)}", err=True)
    return Exit.FAILED

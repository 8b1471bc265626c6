"""Exit codes, and errors in a line or two."""

from __future__ import annotations

from enum import IntEnum

import click

from opwright.admin.words import address
from opwright.errors import (
    KeyTaken,
    OperationCancelled,
    OperationFailed,
    OperationNotFound,
    OpwrightError,
    SchemaTooNew,
    SchemaTooOld,
    StoreError,
)

EPILOG = "Exit codes: 0 fine, 1 what was asked for failed, 2 wrong use, 3 the database, 4 timeout, 130 interrupted."


class Exit(IntEnum):
    """What a shell learns."""

    FINE = 0
    FAILED = 1  # a FAILED operation, a failed check, an operation that does not exist, a key that is taken
    WRONG_USE = 2  # an option, an input, a trigger, a target, an address
    DATABASE = 3  # it cannot be reached, refuses, or has another schema
    TIMEOUT = 4
    INTERRUPTED = 130


_CODES: tuple[tuple[type[BaseException], Exit], ...] = (
    (KeyTaken, Exit.FAILED),
    (OperationNotFound, Exit.FAILED),
    (OperationFailed, Exit.FAILED),
    (OperationCancelled, Exit.FAILED),
    (SchemaTooNew, Exit.DATABASE),
    (SchemaTooOld, Exit.DATABASE),
    (StoreError, Exit.DATABASE),
    (OpwrightError, Exit.WRONG_USE),
    (click.ClickException, Exit.WRONG_USE),
    (TimeoutError, Exit.TIMEOUT),
    (OSError, Exit.FAILED),  # the output cannot be written
    (KeyboardInterrupt, Exit.INTERRUPTED),
    (click.Abort, Exit.INTERRUPTED),
)

_NO_ARGUMENTS = getattr(click.exceptions, "NoArgsIsHelpError", ())  # since click 8.2; its text is the help


def exit_code(error: BaseException) -> Exit | None:
    """The code of an error that is told in words; None for a defect, whose traceback is worth more."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), None)


def explain(error: BaseException) -> Exit:
    """Tell an error on stderr; its exit code. A defect passes on."""
    code = exit_code(error)
    if code is None:
        raise error
    if isinstance(error, _NO_ARGUMENTS):
        error.show()
        return code
    if code is not Exit.INTERRUPTED:
        click.echo(f"Error: {address(_text(error))}", err=True)
    if isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(f"Try '{error.ctx.command_path} --help'.", err=True)
    return code


def _text(error: BaseException) -> str:
    return error.format_message() if isinstance(error, click.ClickException) else str(error)

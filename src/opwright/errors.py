"""Every error that Opwright raises, in one tree.

OpwrightError
├── ConfigurationError         the set-up is wrong: an address, a setting, an application that cannot be imported
│   ├── SchemaTooNew           the database was migrated by a newer program
│   ├── SchemaTooOld           the database waits for ``opwright migrate``
│   └── ExtraMissing           a library of an optional extra is not installed
├── InvalidOperation           bad input, refused at the door; names the field
│   ├── UnknownTrigger         no trigger of that name is registered
│   ├── UnknownCommand         nobody handles commands of that type
│   ├── KeyTaken               another operation holds the key; names the winner
│   └── AlreadyRetried         an earlier retry of it has not ended; names that one
├── ItemMissing                a command left no item of that type or name
├── NotInOperation             asked about the running operation where none runs
├── OperationNotFound          no operation has this id (or its record was swept)
├── OperationFailed            raised by ``handle.result()`` of a FAILED operation
├── OperationCancelled         raised by ``handle.result()`` of a CANCELLED operation
├── ComputedCycle              a computed value would have to wait for itself
├── ScopeExpired           the operation scope of a command kept others from writing to an SQLite file for too long
├── StaleClaim                 what a trigger wrote came too late: its operation is another's now
├── OperationTimeout           the error of an operation that has used up its ``timeout``
├── OperationExpired           the error of one that gave no sign of life for the maximum processing time
└── StoreError                 the database refused or went away
    ├── StoreUnavailable       no connection, or it broke: try again
    │   ├── StoreStarting      the server starts up or shuts down
    │   └── StoreUncertain     it broke before the answer came: what was asked may have been done
    ├── StoreBusy              another writer held the SQLite file for too long (names it), or a statement took too long
    ├── StoreConflict          a serialization failure or deadlock: run it again
    └── RowRefused             the data of one row cannot be stored
        └── DuplicateRow       a row with this key is already there

An error's text says what was wrong, which value, and what to do about it.
"""

from __future__ import annotations


class OpwrightError(Exception):
    """The root: ``except OpwrightError`` catches everything that Opwright raises on purpose."""


class ConfigurationError(OpwrightError):
    """The set-up is wrong; nothing was started and nothing stored."""


class SchemaTooNew(ConfigurationError):
    """The database holds a schema from a newer Opwright; this program would misread it."""


class SchemaTooOld(ConfigurationError):
    """The database holds an older schema, and this engine is not migrated without being asked."""


class ExtraMissing(ConfigurationError):
    """A feature needs a library of an optional extra."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"{library} is not installed: pip install 'opwright[{extra}]'")


class InvalidOperation(OpwrightError):
    """An operation was refused at submit. ``field`` names what was wrong; nothing was stored."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class UnknownTrigger(InvalidOperation):
    """No trigger of this name is registered with this application."""


class UnknownCommand(InvalidOperation):
    """No function is registered with this application that handles commands of this type."""


class KeyTaken(InvalidOperation):
    """Another operation holds the key. ``winner`` is its id."""

    def __init__(self, message: str, *, winner: int) -> None:
        super().__init__(message, field="key")
        self.winner = winner


class AlreadyRetried(InvalidOperation):
    """An operation is retried already. ``retry`` is the id of that retry, which has not ended."""

    def __init__(self, operation: int, retry: int) -> None:
        super().__init__(
            f"operation {operation} is retried already, as operation {retry}, which has not ended: cancel that one, or wait",
            field="operation",
        )
        self.retry = retry


class ItemMissing(OpwrightError, LookupError):
    """No item of this type or name was put in, and no default was given."""


class NotInOperation(OpwrightError):
    """What only a running operation can do was asked for where none runs."""


class OperationNotFound(OpwrightError):
    """No operation has this id: it was never committed, or its record has been swept."""


class OperationFailed(OpwrightError):
    """The operation ended FAILED. ``error`` is what the trigger left: "Type: message" and the traceback below it."""

    def __init__(self, operation: int, error: str | None) -> None:
        super().__init__(f"operation {operation} failed: {error}")
        self.operation = operation
        self.error = error


class OperationCancelled(OpwrightError):
    """The operation ended CANCELLED, or is being cancelled while its trigger runs."""


class StaleClaim(OpwrightError):
    """The operation is no longer this worker's: what it wrote in ``operation.transaction()`` is undone."""


class ComputedCycle(OpwrightError):
    """A computed function was called by its own body, directly or through others, with the same arguments."""

    def __init__(self, call: str) -> None:
        super().__init__(f"{call} needs its own value: it was called by a body that it is waiting for")


class ScopeExpired(OpwrightError):
    """The operation scope of a command was open for longer than others wait for an SQLite file; nothing of it was written."""


class OperationTimeout(OpwrightError):
    """An attempt ran longer than its ``timeout``; recorded as the operation's error, never raised in anybody's code."""


class OperationExpired(OpwrightError):
    """An attempt gave no sign of life for the maximum processing time; recorded as the operation's error, never raised."""


class StoreError(OpwrightError):
    """The database refused a statement."""


class StoreUnavailable(StoreError):
    """There is no connection to the database, or it broke on the way."""


class StoreStarting(StoreUnavailable):
    """The server is there but takes no connections: it starts up or shuts down."""


class StoreUncertain(StoreUnavailable):
    """The connection broke before the answer came, so nobody knows whether the transaction was committed."""


class StoreBusy(StoreError):
    """The database had no time: another writer held the SQLite file, or a statement was cancelled. Nothing was written."""


class StoreConflict(StoreError):
    """The database asks to run the transaction again (serialization failure, deadlock)."""


class RowRefused(StoreError):
    """The database refuses the data of one row; its neighbours are none the worse."""


class DuplicateRow(RowRefused):
    """A row with this key is already there."""

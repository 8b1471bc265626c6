"""Opwright keeps an application's durable operations inside the application's own database.

How to read it, from the bottom up: ``model`` holds the nouns and the one table of states; ``store`` is the only folder that
knows SQL; ``watch`` wakes early; ``workers`` runs triggers; ``operations`` is what an application's code touches; ``scheduler``
claims and settles; ``app`` builds the services; ``cli`` is the command line. A folder imports only what lies below it.
"""

from opwright.app.application import Opwright
from opwright.app.host import Host
from opwright.computed.changes import Changes, changes
from opwright.computed.computed import Computed
from opwright.computed.function import ComputedFunction
from opwright.computed.invalidation import Invalidation
from opwright.computed.isolation import isolated
from opwright.errors import (
    AlreadyRetried,
    ComputedCycle,
    ConfigurationError,
    ExtraMissing,
    InvalidOperation,
    KeyTaken,
    NotInOperation,
    OperationCancelled,
    OperationExpired,
    OperationFailed,
    OperationNotFound,
    OperationTimeout,
    OpwrightError,
    SchemaTooNew,
    SchemaTooOld,
    StaleClaim,
    StoreBusy,
    StoreError,
    StoreUnavailable,
    StoreUncertain,
    UnknownTrigger,
)
from opwright.model.limit import Limit
from opwright.model.operation import Operation
from opwright.model.options import Backoff
from opwright.model.status import Status
from opwright.operations import operation
from opwright.operations.handle import Batch, Handle, Update
from opwright.operations.submitter import HandedBack
from opwright.operations.trigger import Trigger
from opwright.settings import Settings
from opwright.workers.current import Current

__all__ = [
    "AlreadyRetried",
    "Backoff",
    "Batch",
    "Changes",
    "Computed",
    "ComputedCycle",
    "ComputedFunction",
    "ConfigurationError",
    "Current",
    "ExtraMissing",
    "HandedBack",
    "Handle",
    "Host",
    "InvalidOperation",
    "Invalidation",
    "KeyTaken",
    "Limit",
    "NotInOperation",
    "Operation",
    "OperationCancelled",
    "OperationExpired",
    "OperationFailed",
    "OperationNotFound",
    "OperationTimeout",
    "Opwright",
    "OpwrightError",
    "SchemaTooNew",
    "SchemaTooOld",
    "Settings",
    "StaleClaim",
    "Status",
    "StoreBusy",
    "StoreError",
    "StoreUnavailable",
    "StoreUncertain",
    "Trigger",
    "UnknownTrigger",
    "Update",
    "changes",
    "isolated",
    "operation",
]

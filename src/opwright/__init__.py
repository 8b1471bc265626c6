"""Opwright keeps an application's durable operations inside the application's own database.

How to read it, from the bottom up: ``model`` holds the nouns and the one table of states; ``store`` is the only folder that
knows SQL; ``watch`` wakes early; ``workers`` runs triggers; ``operations`` is what an application's code touches; ``commands``
is the pipeline of typed requests; ``scheduler`` claims and settles; ``app`` builds the services; ``cli`` is the command line.
A folder imports only what lies below it.
"""

from opwright.app.application import Opwright
from opwright.app.db_event_log_reader import DbEventLogReader
from opwright.app.host import Host
from opwright.commands.broadcast import BroadcastCommand
from opwright.commands.command import Command
from opwright.commands.completion import Completion
from opwright.commands.context import CommandContext
from opwright.commands.db_completion_notifier import DbOperationCompletionNotifier
from opwright.commands.db_scope import DbOperationScope
from opwright.commands.db_scope_provider import DbOperationScopeProvider
from opwright.commands.events import Event, Events
from opwright.commands.in_memory_scope import InMemoryOperationScope, InMemoryOperationScopeProvider
from opwright.commands.invalidation import InvalidatingCommandCompletionHandler, InvalidatingCompletionHandler
from opwright.commands.nested_logger import NestedOperationLogger
from opwright.commands.scope import OperationScope
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
    ItemMissing,
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
    ScopeExpired,
    StaleClaim,
    StoreBusy,
    StoreError,
    StoreUnavailable,
    StoreUncertain,
    UnknownCommand,
    UnknownTrigger,
)
from opwright.log.reader import DbOperationLogReader, LogStatus
from opwright.maintenance.db_event_log_trimmer import DbEventLogTrimmer
from opwright.maintenance.log_trimmer import DbOperationLogTrimmer
from opwright.model.event_state import EventState
from opwright.model.items import Items
from opwright.model.limit import Limit
from opwright.model.log_entry import LogEntry, NestedEntry
from opwright.model.operation import Operation
from opwright.model.options import Backoff
from opwright.model.status import Status
from opwright.operations import operation
from opwright.operations.handle import Batch, Handle, Update
from opwright.operations.submitter import HandedBack
from opwright.operations.trigger import Trigger
from opwright.settings import Settings
from opwright.watch.file_system_log import FileSystemDbLogWatcher
from opwright.watch.log_watcher import DbLogWatcher, NoDbLogWatcher
from opwright.watch.postgresql_log import PostgreSqlDbLogWatcher
from opwright.watch.redis_log import RedisDbLogWatcher
from opwright.workers.current import Current

__all__ = [
    "AlreadyRetried",
    "Backoff",
    "Batch",
    "BroadcastCommand",
    "Changes",
    "Command",
    "CommandContext",
    "Completion",
    "Computed",
    "ComputedCycle",
    "ComputedFunction",
    "ConfigurationError",
    "Current",
    "DbEventLogReader",
    "DbEventLogTrimmer",
    "DbLogWatcher",
    "DbOperationCompletionNotifier",
    "DbOperationLogReader",
    "DbOperationLogTrimmer",
    "DbOperationScope",
    "DbOperationScopeProvider",
    "Event",
    "EventState",
    "Events",
    "ExtraMissing",
    "FileSystemDbLogWatcher",
    "HandedBack",
    "Handle",
    "Host",
    "InMemoryOperationScope",
    "InMemoryOperationScopeProvider",
    "InvalidOperation",
    "InvalidatingCommandCompletionHandler",
    "InvalidatingCompletionHandler",
    "Invalidation",
    "ItemMissing",
    "Items",
    "KeyTaken",
    "Limit",
    "LogEntry",
    "LogStatus",
    "NestedEntry",
    "NestedOperationLogger",
    "NoDbLogWatcher",
    "NotInOperation",
    "Operation",
    "OperationCancelled",
    "OperationExpired",
    "OperationFailed",
    "OperationNotFound",
    "OperationScope",
    "OperationTimeout",
    "Opwright",
    "OpwrightError",
    "PostgreSqlDbLogWatcher",
    "RedisDbLogWatcher",
    "SchemaTooNew",
    "SchemaTooOld",
    "ScopeExpired",
    "Settings",
    "StaleClaim",
    "Status",
    "StoreBusy",
    "StoreError",
    "StoreUnavailable",
    "StoreUncertain",
    "Trigger",
    "UnknownCommand",
    "UnknownTrigger",
    "Update",
    "changes",
    "isolated",
    "operation",
]

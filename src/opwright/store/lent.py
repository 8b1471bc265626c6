"""Connections to an SQLite file that are lent to an application's code, block by block."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Self

from opwright.store.sqlite_file import connect_as

# What outlives a transaction on a connection: settings, other files, tables and views that only it sees.
_LASTING = {
    sqlite3.SQLITE_PRAGMA, sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_CREATE_TEMP_TABLE,
    sqlite3.SQLITE_CREATE_TEMP_VIEW, sqlite3.SQLITE_CREATE_TEMP_TRIGGER, sqlite3.SQLITE_CREATE_TEMP_INDEX,
}  # fmt: skip
# SQLite's own default. A file system takes longer to flush a log that grows, and a block has few pages: it would grow for long.
LOG_PAGES = 1000


def _lasting(name: str) -> Any:
    """The method of that name; what it installs can be neither seen afterwards nor taken away."""
    install = getattr(sqlite3.Connection, name)

    def method(self: LentConnection, *given: Any, **named: Any) -> Any:
        self.has_lasting = True
        return install(self, *given, **named)

    return method


class LentConnection(sqlite3.Connection):
    """Notices what would outlive a block. To open a file and read its schema costs more than many a transaction."""

    has_lasting = False
    create_function = _lasting("create_function")
    create_aggregate = _lasting("create_aggregate")
    create_collation = _lasting("create_collation")
    set_authorizer = _lasting("set_authorizer")
    set_progress_handler = _lasting("set_progress_handler")
    set_trace_callback = _lasting("set_trace_callback")

    @classmethod
    def to(cls, path: Path) -> Self:
        """A new connection. Raises StoreUnavailable, ConfigurationError."""
        connection = connect_as(cls, path, writes=False, log_pages=LOG_PAGES)
        sqlite3.Connection.set_authorizer(connection, connection.notice)
        return connection

    def restored(self) -> bool:
        """Set back what can be; whether the connection is as good as a new one."""
        if self.has_lasting or self.in_transaction:
            return False
        self.row_factory, self.text_factory, self.isolation_level = sqlite3.Row, str, None
        return True

    def notice(self, action: int, *_: object) -> int:
        """Called for whatever a statement does, while it is prepared."""
        if action in _LASTING:
            self.has_lasting = True
        return sqlite3.SQLITE_OK

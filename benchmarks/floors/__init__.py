"""What the bare drivers reach with the same work on the same machine, measured in the same run."""

from benchmarks.floors import (
    machine,
    memo,
    notify,
    pgbench,
    postgresql_insert,
    postgresql_queue,
    publish,
    sqlite_kept,
    sqlite_queue,
)

__all__ = [
    "machine",
    "memo",
    "notify",
    "pgbench",
    "postgresql_insert",
    "postgresql_queue",
    "publish",
    "sqlite_kept",
    "sqlite_queue",
]

"""What the bare drivers reach with the same work on the same machine, measured in the same run."""

from benchmarks.floors import notify, postgresql_insert, postgresql_queue, sqlite_queue

__all__ = ["notify", "postgresql_insert", "postgresql_queue", "sqlite_queue"]

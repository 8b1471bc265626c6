"""The seam of all watchers, and the choice by engine."""

from __future__ import annotations

from collections.abc import Callable

from opwright.service import Service
from opwright.store.engine import Engine
from opwright.store.postgresql import PostgresEngine
from opwright.store.sqlite import SqliteEngine
from opwright.watch.postgresql import PostgresWatcher
from opwright.watch.sqlite import SqliteWatcher


def watcher_for(engine: Engine, changed: Callable[[], None]) -> Service | None:
    """What tells of other processes' commits: calls ``changed()`` soon after one. None where only polling can."""
    if isinstance(engine, SqliteEngine):
        return SqliteWatcher(engine.path, changed, engine.clock)
    if isinstance(engine, PostgresEngine) and engine.listen_url is not None:
        return PostgresWatcher(engine, changed)
    return None


def ends_watcher_for(engine: Engine, ended: Callable[[], None]) -> Service | None:
    """What tells of ends that other processes have written: calls ``ended()`` soon after some. None where only polling can."""
    if isinstance(engine, PostgresEngine) and engine.listen_url is not None:
        return PostgresWatcher(engine, ended, engine.ends_channel)
    return None

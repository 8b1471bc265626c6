"""Which log watcher an application has: the setting ``log_watcher``, or what its code hands over."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from opwright.errors import ConfigurationError, ExtraMissing
from opwright.store.engine import Engine
from opwright.store.postgresql import PostgresEngine
from opwright.store.sqlite import SqliteEngine
from opwright.watch.file_system_log import FileSystemDbLogWatcher
from opwright.watch.log_watcher import DbLogWatcher, NoDbLogWatcher
from opwright.watch.postgresql_log import PostgreSqlDbLogWatcher
from opwright.watch.redis_log import RedisDbLogWatcher

Origin = Callable[[], int]
Making = Callable[[Origin], DbLogWatcher]
WatcherFor = Callable[[Engine, Origin], DbLogWatcher]

CHOICES = "'auto', 'none', 'redis://host:6379/0' or 'file:/folder'"


def choice(wanted: str | Making) -> WatcherFor:
    """What makes the wanted watcher for an engine. Raises ConfigurationError, ExtraMissing: here, not when it is made."""
    if not isinstance(wanted, str):
        return lambda _engine, origin: wanted(origin)
    if wanted == "auto":
        return _fitting
    making = _named(wanted)
    try:
        making(lambda: 0)  # refuses what can never be made
    except ExtraMissing:
        raise
    except ConfigurationError as error:
        raise ConfigurationError(f"log_watcher: {error}") from None
    return lambda _engine, origin: making(origin)


def _named(wanted: str) -> Making:
    kind, _, rest = wanted.partition(":")
    if wanted == "none":
        return NoDbLogWatcher
    if kind in ("redis", "rediss"):
        return partial(RedisDbLogWatcher, url=wanted)
    if kind == "file" and rest.removeprefix("//"):
        return partial(FileSystemDbLogWatcher, folder=Path(rest.removeprefix("//")).expanduser().absolute())
    raise ConfigurationError(f"log_watcher: {kind!r} is no kind of watcher: write {CHOICES}")


def _fitting(engine: Engine, origin: Origin) -> DbLogWatcher:
    """What needs nothing besides the database."""
    if isinstance(engine, PostgresEngine):
        return PostgreSqlDbLogWatcher(origin, engine)
    if isinstance(engine, SqliteEngine):
        return FileSystemDbLogWatcher(origin, Path(f"{engine.path}-watch"))
    return NoDbLogWatcher(origin)

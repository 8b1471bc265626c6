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
        if not callable(wanted):
            raise ConfigurationError(f"log_watcher: {wanted!r} is neither a text nor what makes a watcher: write {CHOICES}")
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
    if kind in ("redis", "rediss", "unix"):
        return partial(RedisDbLogWatcher, url=wanted)
    if kind == "file":
        return partial(FileSystemDbLogWatcher, folder=_folder(rest.removeprefix("//")))
    shown = kind if kind == wanted else f"{kind}:…"  # behind it there may be a password
    raise ConfigurationError(f"log_watcher: {shown!r} is no kind of watcher: write {CHOICES}")


def _folder(path: str) -> Path:
    if not path:
        raise ConfigurationError(f"log_watcher: 'file:' names no folder: write {CHOICES}")
    return Path(path).expanduser().absolute()


def _fitting(engine: Engine, origin: Origin) -> DbLogWatcher:
    """What needs nothing besides the database."""
    if isinstance(engine, PostgresEngine):
        return PostgreSqlDbLogWatcher(origin, engine)
    if isinstance(engine, SqliteEngine):
        return FileSystemDbLogWatcher(origin, Path(f"{engine.path}-watch"))
    return NoDbLogWatcher(origin)

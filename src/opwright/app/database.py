"""The way to the database that the settings name."""

from __future__ import annotations

from opwright.clock import Clock
from opwright.errors import ConfigurationError
from opwright.operations.client import Client
from opwright.settings import Database, Found
from opwright.watch.log_watchers import Making, WatcherFor, choice


def client_for(found: Found, clock: Clock) -> Client:
    """A client of the database. Raises ConfigurationError, which says where a wrong address stands."""
    given = found.given.get("url")
    if given is not None and not isinstance(given.value, str):
        raise ConfigurationError(
            f"{given.label}: {given.value!r} is no address: write 'sqlite:///file.db' or 'postgresql://user@host/database'"
        )
    database = found.build(Database)
    if not database.url:
        raise ConfigurationError("no database: write Opwright('sqlite:///file.db'), or set OPWRIGHT_URL, or url in opwright.toml")
    try:
        client = Client(database.url, clock, database.schema)
    except ConfigurationError as error:
        raise found.blamed(error) from None
    client.event_retries = database.event_retries
    return client


def watcher_for(found: Found, made: Making | None) -> WatcherFor:
    """The log watcher that the code makes, or that the settings name. Raises ConfigurationError, ExtraMissing."""
    try:
        return choice(made or found.build(Database).log_watcher)
    except ConfigurationError as error:
        raise found.blamed(error) from None

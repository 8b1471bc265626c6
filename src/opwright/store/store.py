"""One object with every gateway, and the choice of engine by address."""

from __future__ import annotations

from opwright.clock import Clock
from opwright.errors import ConfigurationError
from opwright.service import Outage
from opwright.store.engine import Engine
from opwright.store.hosts import Hosts
from opwright.store.log import Log
from opwright.store.operations import Operations
from opwright.store.postgresql import PostgresEngine
from opwright.store.queue import Queue
from opwright.store.queues import Queues
from opwright.store.sqlite import SqliteEngine
from opwright.store.sweeps import Sweeps


class Store:
    """The database of an application, as one event loop of one process sees it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.outage = Outage()  # what all services on this store tell of it together
        self.operations = Operations(engine)
        self.queue = Queue(engine)
        self.queues = Queues(engine)
        self.hosts = Hosts(engine)
        self.sweeps = Sweeps(engine)
        self.log = Log(engine)

    async def open(self) -> None:
        """Connect and check the schema."""
        await self.engine.open()

    async def close(self) -> None:
        """Disconnect."""
        await self.engine.close()


def engine_for(url: str, clock: Clock, schema: str = "opwright") -> Engine:
    """The engine that an address asks for. Raises ConfigurationError."""
    scheme = url.partition("://")[0].partition("+")[0]
    if scheme == "sqlite":
        return SqliteEngine(url, clock, schema)
    if scheme in ("postgresql", "postgres"):
        return PostgresEngine(url, clock, schema)
    # Not the address itself: it may hold a password.
    raise ConfigurationError(
        f"{scheme!r} is no database that Opwright knows: write sqlite:///file.db or postgresql://user@host/database"
    )

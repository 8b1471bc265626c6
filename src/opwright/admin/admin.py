"""Admin: an operator's view of the operations in a database."""

from __future__ import annotations

from typing import Self

from opwright.admin.company import Company, Queues
from opwright.admin.record import Record, history, masked, masked_text
from opwright.admin.words import address
from opwright.errors import SchemaTooOld, StoreUnavailable
from opwright.model.host import Host, HostState
from opwright.model.operation import Operation
from opwright.model.queue import QueueStanding
from opwright.model.status import Status
from opwright.operations.client import Client
from opwright.store.engine import Engine
from opwright.store.listing import Listing, Survey, survey
from opwright.store.store import Store, engine_for

MOST_RELATIVES = 1000  # children of one operation, or what it follows, that are looked at


class Admin:
    """Enter it (``async with``) to look. Looking makes no file and no tables: a mistyped address must leave nothing behind."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._engine = engine_for(client.url, client.clock, client.schema)  # never opened: it is surveyed
        self._store: Store
        self._listing: Listing

    async def __aenter__(self) -> Self:
        _require_tables(await self.survey(), self._engine)
        self._store = await self.client.store()
        self._listing = Listing(self._store.engine)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()

    async def survey(self) -> Survey:
        """What the database looks like; needs no entering. Raises StoreError."""
        return await survey(self._engine)

    async def counts(self) -> dict[Status, int]:
        """How many operations stand where."""
        return await self._store.operations.counts()

    async def hosts(self) -> list[Host]:
        """Every host that is remembered."""
        return await self._store.hosts.all()

    async def workers(self) -> Company:
        """The workers of the hosts that are alive, and what runs."""
        alive = [host for host in await self.hosts() if host.state is HostState.ALIVE]
        return Company(alive, {one.operation: one for one in await self._listing.running()})

    async def queues(self) -> Queues:
        """Every queue that holds something, is known by name or is served by name, and the hosts that are alive."""
        alive = [host for host in await self.hosts() if host.state is HostState.ALIVE]
        standings = {one.name: one for one in await self._store.queues.all()}
        for name in {name for host in alive for name in host.queues or ()} - standings.keys():
            standings[name] = QueueStanding(name, 0, 0, 0, 0, 0, None)
        return Queues([standings[name] for name in sorted(standings)], alive)

    async def show(self, operation: int) -> Record:
        """Everything that is known about one operation. Raises OperationNotFound."""
        found = await self._store.operations.get(operation)
        notes = await self._store.operations.notes(operation)
        standing = await self._listing.standing(operation)
        holders = await self._listing.holders(standing.lane) if standing.limited and standing.lane else []
        return Record(
            masked(found),
            standing._replace(answers=tuple(map(masked_text, standing.answers))),
            history(found, notes),
            await self._listing.children(operation, MOST_RELATIVES),
            await self._listing.predecessors(operation, MOST_RELATIVES),
            holders,
        )

    async def list(
        self, limit: int, *, status: Status | None = None, trigger: str | None = None, before: int | None = None
    ) -> list[Operation]:
        """A page of operations: the newest first, or of FAILED and CANCELLED the last to end. Secrets are masked."""
        page = await self._listing.page(limit, status=status, trigger=trigger, before=before)
        return [masked(operation) for operation in page]


async def migrate(client: Client) -> list[str]:
    """Bring the schema up to this program's version; the names of the migrations that were applied."""
    engine = engine_for(client.url, client.clock, client.schema)
    missing = (await survey(engine)).missing
    try:
        await (engine.open() if engine.dialect.name == "sqlite" else engine.migrate())
    finally:
        await engine.close()
    return [f"{step.version:04d} {step.name}" for step in missing]


def _require_tables(found: Survey, engine: Engine) -> None:
    """Raises StoreUnavailable for a file that is not there, SchemaTooOld for a database without Opwright's tables."""
    if not found.exists:
        raise StoreUnavailable("there is no such file; `opwright migrate` or a host's first start makes it")
    if not found.applied:
        where = f"{address(engine.url)} has no tables of Opwright in schema {engine.schema!r}"
        raise SchemaTooOld(f"{where}; `opwright migrate` or a host's first start makes them")

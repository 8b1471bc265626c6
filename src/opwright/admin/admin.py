"""Admin: an operator's view of the operations in a database."""

from __future__ import annotations

from typing import Self

from opwright.admin.record import Record, history, masked
from opwright.admin.words import address
from opwright.errors import SchemaTooOld, StoreUnavailable
from opwright.model.host import Host
from opwright.model.operation import Operation
from opwright.model.status import Status
from opwright.operations.client import Client
from opwright.store.engine import Engine
from opwright.store.listing import Listing, Survey, survey
from opwright.store.store import Store, engine_for


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

    async def show(self, operation: int) -> Record:
        """Everything that is known about one operation. Raises OperationNotFound."""
        found = await self._store.operations.get(operation)
        notes = await self._store.operations.notes(operation)
        standing = await self._listing.standing(operation)
        return Record(masked(found), standing, history(found, notes))

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
